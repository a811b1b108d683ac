package mysql

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"
)

// recorded reads what a real server's client showed, a column a line.
func recorded(t *testing.T, name string) (list []row) {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "****") {
			list = append(list, row{})
			continue
		}
		column, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		if value != "NULL" {
			list[len(list)-1][strings.ToLower(strings.TrimSpace(column))] = value
		}
	}
	return list
}

// TestChannelOf: each of the two replicates from a living server, and from one
// that is not there.
func TestChannelOf(t *testing.T) {
	none := time.Duration(0)
	for name, want := range map[string][]Channel{
		"replication-mariadb-11.8.txt": {
			{Source: "127.0.0.1:3306", Receiver: "Yes", Applier: "Yes", Lag: &none, GTID: "0-1-4"},
			{Name: "second", Source: "127.0.0.1:9", Receiver: "Connecting", Applier: "Yes",
				Error: `error connecting to master 'r@127.0.0.1:9' - retry-time: 60  maximum-retries: 100000  message: Can't connect to server on '127.0.0.1' (111 "Connection refused")`},
		},
		"replication-mysql-9.7.txt": {
			{Source: "127.0.0.1:3307", Receiver: "Yes", Applier: "Yes", Lag: &none, GTID: "861e9a5e-e6a0-11f1-9d17-02fc00000001:1-4"},
			{Name: "second", Source: "127.0.0.1:9", Receiver: "Connecting", Applier: "Yes", Lag: &none,
				Error: `Error connecting to source 'r@127.0.0.1:9'. This was attempt 1/10, with a delay of 60 seconds between attempts. Message: Can't connect to MySQL server on '127.0.0.1:9' (111)`},
		},
	} {
		var got []Channel
		for _, r := range recorded(t, name) {
			got = append(got, channelOf(r))
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%+v\nwant\n%+v", name, got, want)
		}
	}
}

func TestStatusOf(t *testing.T) {
	// Of MariaDB 11.8 and MySQL 9.7 as they were tried out.
	maria := statusOf(
		row{"version": "11.8.6-MariaDB-0+deb13u1 from Debian-log", "max_connections": "151", "read_only": "OFF", "event_scheduler": "OFF", "gtid_current_pos": "0-1-4", "gtid_binlog_pos": "0-1-4"},
		row{"uptime": "141", "threads_connected": "1", "innodb_checkpoint_age": "16", "innodb_checkpoint_max_age": "80819529", "innodb_history_list_length": "7"})
	if want := (Status{Version: "11.8.6-MariaDB-0+deb13u1 from Debian-log", MariaDB: true, Uptime: 141 * time.Second, Connections: 1, MaxConnections: 151,
		History: 7, CheckpointAge: 16, CheckpointMax: 80819529, GTID: GTID{Executed: "0-1-4", Binlog: "0-1-4"}}); !reflect.DeepEqual(maria, want) {
		t.Errorf("MariaDB:\n%+v\nwant\n%+v", maria, want)
	}
	my := statusOf(
		row{"version": "9.7.4-2", "max_connections": "151", "read_only": "ON", "super_read_only": "ON", "event_scheduler": "ON", "gtid_executed": "861e9a5e-e6a0-11f1-9d17-02fc00000001:1-4,\nb:1"},
		row{"uptime": "95", "innodb_redo_log_checkpoint_lsn": "19428928", "innodb_redo_log_current_lsn": "19429440", "innodb_redo_log_capacity_resized": "104857600"})
	if want := (Status{Version: "9.7.4-2", Uptime: 95 * time.Second, MaxConnections: 151, CheckpointAge: 512, CheckpointMax: 104857600,
		ReadOnly: true, SuperReadOnly: true, Events: true, GTID: GTID{Executed: "861e9a5e-e6a0-11f1-9d17-02fc00000001:1-4,b:1"}}); !reflect.DeepEqual(my, want) {
		t.Errorf("MySQL:\n%+v\nwant\n%+v", my, want)
	}
}

func TestTroubleOf(t *testing.T) {
	for number, want := range map[uint16]Trouble{1045: NoAccount, 1698: NoAccount, 1040: Full, 1226: Busy, 1053: Silent} {
		if got := TroubleOf(fmt.Errorf("cannot connect: %w", &driver.MySQLError{Number: number})); got != want {
			t.Errorf("error %d: %v, want %v", number, got, want)
		}
	}
	if got := TroubleOf(errors.New("i/o timeout")); got != Silent {
		t.Errorf("no answer: %v, want Silent", got)
	}
}

// TestMayMakeAccount: only the mark says so, and a link is not the mark.
func TestMayMakeAccount(t *testing.T) {
	dir := t.TempDir()
	if MayMakeAccount(dir) {
		t.Error("a directory without the mark")
	}
	mark := filepath.Join(dir, fresh)
	if err := os.Symlink("/etc/hostname", mark); err != nil || MayMakeAccount(dir) {
		t.Errorf("a link is taken for the mark (%v)", err)
	}
	if err := errors.Join(os.Remove(mark), os.WriteFile(mark, nil, 0o644)); err != nil || !MayMakeAccount(dir) {
		t.Errorf("the mark is not seen (%v)", err)
	}
}

// TestReadSilent: a server that accepts and says nothing is left when ctx ends.
func TestReadSilent(t *testing.T) {
	socket, _ := serve(t, "")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := Read(ctx, socket)
	wantError(t, err, "cannot connect to")
	if TroubleOf(err) != Silent {
		t.Errorf("%v is more than silence", err)
	}
}
