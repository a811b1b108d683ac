package mysql

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"bootswain/systemd"
)

const (
	// initialiseUnit makes new databases; a daemon that comes after one that was
	// killed finds it by its name.
	initialiseUnit = "bootswain-initialise.service"
	// initialiseLimit bounds it. It takes seconds, and a minute or two on an
	// emulated machine.
	initialiseLimit = 15 * time.Minute
	// firstStatements is what MySQL carries out as the last of --initialize, and
	// firstLog what it says meanwhile, which would go to its error log.
	firstStatements = ".bootswain-init.sql"
	firstLog        = ".bootswain-init.log"
)

// onlyThroughTheSocket lets root in by who it is on this machine, and by no
// password.
const onlyThroughTheSocket = `INSTALL PLUGIN auth_socket SONAME 'auth_socket.so';
ALTER USER 'root'@'localhost' IDENTIFIED WITH auth_socket;
`

// initialise makes new databases, with the settings of the image. Root logs in
// over the Unix socket only; there is no other account that a person could use,
// and no test schema. The server does it in a sandbox without network that
// shows it the directory where its package, and AppArmor's profile, expects it.
func (m Move) initialise(ctx context.Context, preparing string) error {
	m.Step("make new databases on the volume")
	user, err := ownerOf(m.Directory)
	if err != nil {
		return err
	}
	if user.uid == 0 {
		return m.nobodys()
	}
	command := []string{
		"/usr/bin/mariadb-install-db", "--datadir=" + Directory, "--skip-test-db", "--skip-name-resolve", "--cross-bootstrap",
		"--auth-root-authentication-method=socket", "--auth-root-socket-user=root",
	}
	if m.Program.Flavour == MySQL {
		command = []string{m.Program.Path, "--initialize-insecure", "--init-file=" + filepath.Join(Directory, firstStatements), "--log-error=" + filepath.Join(Directory, firstLog)}
		file := filepath.Join(preparing, firstStatements)
		if err := os.WriteFile(file, []byte(onlyThroughTheSocket), 0o600); err != nil {
			return err
		}
		if err := os.Lchown(file, user.uid, user.gid); err != nil {
			return err
		}
	}
	if err := os.Lchown(preparing, user.uid, user.gid); err != nil {
		return err
	}
	err = m.Units.RunOnce(ctx, systemd.OnceUnit{
		Name: initialiseUnit, Description: "bootswain: new databases on volume " + m.Volume,
		Command: command, UID: user.uid, GID: user.gid, Bind: preparing, At: Directory,
		BindsTo: []string{systemd.MountName(m.Mount)}, Limit: initialiseLimit,
	})
	if err != nil {
		return fmt.Errorf("cannot make databases on volume %s: %w%s", m.Volume, err, complaint(preparing))
	}
	if m.Program.Flavour == MySQL {
		return errors.Join(os.Remove(filepath.Join(preparing, firstStatements)), os.Remove(filepath.Join(preparing, firstLog)))
	}
	return nil
}

// complaint is the first error that MySQL noted, or nothing.
func complaint(preparing string) string {
	root, err := os.Open(preparing)
	if err != nil {
		return ""
	}
	defer root.Close()
	b, err := folder{root}.head(firstLog, 64<<10)
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(b) {
		if _, text, found := bytes.Cut(bytes.TrimSpace(line), []byte("[ERROR] ")); found {
			return ": " + printable(text)
		}
	}
	return ""
}
