package demo

import (
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"strings"
)

// rowCount is how many orders the database is given.
const rowCount = 1000

// item is the content of a row, known here without asking the database.
func item(id int) string {
	sum := sha256.Sum256(fmt.Append(nil, id))
	return fmt.Sprintf("order %04d %x", id, sum[:8])
}

// insertRows is SQL that makes the tables and writes all rows.
func insertRows() string {
	var b strings.Builder
	b.WriteString("create database demo; use demo; create table orders (id int primary key, item varchar(64));\n" +
		"create table traffic (n int primary key);\ninsert into orders values ")
	for id := 1; id <= rowCount; id++ {
		if id > 1 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "(%d, '%s')", id, item(id))
	}
	b.WriteString(";\n")
	return b.String()
}

// selectRows is SQL that answers what expectedRows says.
const selectRows = "select count(*), sum(crc32(concat(id, ' ', item))) from demo.orders;"

// rows are a count and a checksum over every row's content.
type rows struct {
	count    int
	checksum uint64
}

// expectedRows is computed from what was meant to be written.
func expectedRows() rows {
	r := rows{count: rowCount}
	for id := 1; id <= rowCount; id++ {
		r.checksum += uint64(crc32.ChecksumIEEE(fmt.Appendf(nil, "%d %s", id, item(id))))
	}
	return r
}

// parseRows reads the database's answer to selectRows, tab-separated.
func parseRows(line string) (rows, error) {
	var r rows
	if _, err := fmt.Sscanf(line, "%d\t%d", &r.count, &r.checksum); err != nil {
		return r, fmt.Errorf("database: expected a count and a checksum; saw %q", line)
	}
	return r, nil
}

func (r rows) String() string { return fmt.Sprintf("%d rows, checksum %d", r.count, r.checksum) }
