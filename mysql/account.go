package mysql

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Account is bootswain's own account in a server. It has no password and is let
// in over the server's Unix socket only, from a process of root.
const Account = "bootswain"

// fresh marks a directory that bootswain filled and whose server does not have
// the account yet. Only there it is made unasked.
const fresh = ".bootswain-fresh"

// accountStatements make the account with what Read needs and no more. It is
// not written to the binary log: another server's account is that server's
// affair. Two connections are enough for one probe and one that the server has
// not given up yet.
//
// MariaDB compares the name after AS with the process's since 11.6; before, the
// account's own name had to be that of the process.
func accountStatements(mariadb bool) []string {
	create := "CREATE USER IF NOT EXISTS 'bootswain'@'localhost' IDENTIFIED WITH auth_socket AS 'root' WITH MAX_USER_CONNECTIONS 2"
	// PROCESS is for the length of InnoDB's history list, which MariaDB has among
	// what it shows everybody.
	grant := "GRANT PROCESS, REPLICATION CLIENT ON *.* TO 'bootswain'@'localhost'"
	if mariadb {
		create = "CREATE USER IF NOT EXISTS 'bootswain'@'localhost' IDENTIFIED VIA unix_socket AS 'root' WITH MAX_USER_CONNECTIONS 2"
		grant = "GRANT SLAVE MONITOR ON *.* TO 'bootswain'@'localhost'"
	}
	return []string{
		"SET SESSION sql_log_bin = 0", create, grant,
		"GRANT SELECT ON performance_schema.file_summary_by_event_name TO 'bootswain'@'localhost'",
	}
}

// AccountSQL is what a person runs as root to let bootswain in. Running it again
// changes nothing.
func AccountSQL(mariadb bool) string { return strings.Join(accountStatements(mariadb), "; ") + ";" }

// markFresh notes that bootswain filled a directory.
func markFresh(dir string) error {
	text := "bootswain filled this directory. Its account is not in these databases yet.\n"
	return os.WriteFile(filepath.Join(dir, fresh), []byte(text), 0o644)
}

// MayMakeAccount says whether the databases in directory were put there by
// bootswain and their server was not given the account yet.
func MayMakeAccount(directory string) bool {
	info, err := os.Lstat(filepath.Join(directory, fresh))
	return err == nil && info.Mode().IsRegular()
}

// MakeAccount gives the server behind socket the account, once: a person who
// takes it away later is not contradicted. It changes nothing on a server that
// is read-only.
func MakeAccount(ctx context.Context, socket, directory string) error {
	s, err := open(ctx, socket, "root")
	if err != nil {
		return err
	}
	defer s.close()
	v, err := s.settings(ctx, "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', 'read_only')")
	if err != nil {
		return err
	}
	if on(v["read_only"]) {
		return errors.New("the server is read-only; nothing was changed")
	}
	if isMariaDB(v["version"]) && !MapsNames(v["version"]) {
		return errors.New("MariaDB lets nobody in under another name before 11.6; nothing was changed")
	}
	for _, statement := range accountStatements(isMariaDB(v["version"])) {
		if err := s.exec(ctx, statement); err != nil {
			return err
		}
	}
	if err := os.Remove(filepath.Join(directory, fresh)); err != nil {
		return fmt.Errorf("cannot note that the account was made: %w", err)
	}
	return nil
}

// MapsNames says whether a MariaDB of this version lets root in as the account.
func MapsNames(version string) bool {
	var major, minor int
	_, err := fmt.Sscanf(version, "%d.%d", &major, &minor)
	return err == nil && (major > 11 || major == 11 && minor >= 6)
}

func isMariaDB(version string) bool { return strings.Contains(version, "MariaDB") }

// on reads a switch. MariaDB 12 has more ways of being read-only than one.
func on(value string) bool { return value != "" && value != "OFF" && value != "0" }
