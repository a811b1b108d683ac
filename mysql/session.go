package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	driver "github.com/go-sql-driver/mysql"
)

// What a server says of a connection that it does not take, from the error
// reference of MySQL and MariaDB.
const (
	tooManyConnections     = 1040
	accessDenied           = 1045
	tooManyUserConnections = 1226
	accessDeniedNoPassword = 1698 // by a method that knows no password
)

// session is one connection over a server's Unix socket, as an account that
// needs no password there.
type session struct {
	db   *sql.DB
	conn *sql.Conn
}

// open connects. When ctx ends the socket is closed; what the server is doing
// for it then goes on in the server, so the account allows few connections.
func open(ctx context.Context, socket, account string) (*session, error) {
	c := driver.NewConfig()
	c.Net, c.Addr, c.User = "unix", socket, account
	c.Logger = &driver.NopLogger{} // what fails is returned
	connector, err := driver.NewConnector(c)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to %s: %w", socket, err)
	}
	db := sql.OpenDB(connector)
	conn, err := db.Conn(ctx)
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("cannot connect to %s as %s: %w", socket, account, err)
	}
	return &session{db: db, conn: conn}, nil
}

func (s *session) close() {
	s.conn.Close()
	s.db.Close()
}

func (s *session) exec(ctx context.Context, statement string) error {
	if _, err := s.conn.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("cannot run %q: %w", statement, err)
	}
	return nil
}

// row is one row of an answer, by the names of its columns in lower case. A
// NULL is not in it.
type row map[string]string

// rows reads a whole answer. The servers differ in which columns they have and
// where, so they are told apart by name alone.
func (s *session) rows(ctx context.Context, query string) ([]row, error) {
	answer, err := s.conn.QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("cannot ask %q: %w", query, err)
	}
	defer answer.Close()
	columns, err := answer.Columns()
	if err != nil {
		return nil, err
	}
	var list []row
	for answer.Next() {
		values := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := answer.Scan(into...); err != nil {
			return nil, err
		}
		r := row{}
		for i, v := range values {
			if v.Valid {
				r[strings.ToLower(columns[i])] = v.String
			}
		}
		list = append(list, r)
	}
	return list, answer.Err()
}

// settings reads an answer of names and values: SHOW STATUS, SHOW VARIABLES.
func (s *session) settings(ctx context.Context, query string) (row, error) {
	list, err := s.rows(ctx, query)
	all := row{}
	for _, r := range list {
		all[strings.ToLower(r["variable_name"])] = r["value"]
	}
	return all, err
}

// said returns the number of what a server answered with; 0 if it did not.
func said(err error) uint16 {
	if e, ok := errors.AsType[*driver.MySQLError](err); ok {
		return e.Number
	}
	return 0
}
