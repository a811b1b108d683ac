package mysql

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// TestReal asks a server that somebody started. BOOTSWAIN_MYSQL_SOCKET is its
// socket; it is given the account, so it should be a server for trying out.
func TestReal(t *testing.T) {
	socket := os.Getenv("BOOTSWAIN_MYSQL_SOCKET")
	if socket == "" {
		t.Skip("BOOTSWAIN_MYSQL_SOCKET names no server")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, fresh), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := MakeAccount(t.Context(), socket, dir); err != nil || MayMakeAccount(dir) {
		t.Fatalf("the account: %v", err)
	}
	st, err := Read(t.Context(), socket)
	if err != nil || st.Version == "" || st.MaxConnections == 0 || st.CheckpointMax == 0 {
		t.Fatalf("Read = %+v, %v", st, err)
	}
	out, _ := json.MarshalIndent(st, "", " ")
	t.Logf("%s", out)
}
