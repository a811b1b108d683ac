package agent

import (
	"context"
	"encoding/json"
	"os"
	"os/user"
	"strconv"

	"bootswain/internal/atomicfile"
	"bootswain/mysql"
)

// programFile keeps what the database's program is, so that the gate need not
// start it to learn its version.
const programFile = runDir + "/server.json"

// program asks the installed server what it is, and keeps the answer for the
// gate. Its configuration may have changed since it was asked last.
func (a *Agent) program(ctx context.Context) (mysql.Program, error) {
	p, err := mysql.FindProgram(ctx, a.run, "/")
	if err != nil {
		return p, err
	}
	b, err := json.Marshal(p)
	if err != nil {
		return p, err
	}
	return p, atomicfile.Write(programFile, b, 0o644)
}

// knownProgram returns the server as it was last asked, or asks it if another
// has taken its place since.
func (a *Agent) knownProgram(ctx context.Context) (mysql.Program, error) {
	var p mysql.Program
	if b, err := os.ReadFile(programFile); err == nil && json.Unmarshal(b, &p) == nil && p.Current() {
		return p, nil
	}
	return a.program(ctx)
}

// serverUser is the id of the user as whom every supported package runs the
// server, or -1.
func serverUser() int {
	u, err := user.Lookup("mysql")
	if err != nil {
		return -1
	}
	id, err := strconv.Atoi(u.Uid)
	if err != nil {
		return -1
	}
	return id
}
