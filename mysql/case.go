package mysql

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"

	"bootswain/internal/situation"
)

// dictionaryLimit bounds how much of mysql.ibd is read, in bytes; a new one has
// 28 MiB, and what is looked for is in its first quarter.
const dictionaryLimit = 64 << 20

var dictionaryCase = regexp.MustCompile(`DD_VERSION=\d+;LCTN=([012]);`)

// madeCase returns the lower_case_table_names with which MySQL since 8.0 made
// its data, from the properties in its dictionary (sql/dd/dd_properties); ""
// where it is not to be found, as in an encrypted one. It cannot be changed
// later.
func (f folder) madeCase() (string, error) {
	file, err := f.open("mysql.ibd")
	if err != nil {
		return "", err
	}
	defer file.Close()
	const step, overlap = 1 << 20, 64
	block := make([]byte, step+overlap)
	for at := int64(0); at < dictionaryLimit; at += step {
		n, err := file.ReadAt(block, at)
		// A quick look first: regular expressions are slow.
		if bytes.Contains(block[:n], []byte(";LCTN=")) {
			if m := dictionaryCase.FindSubmatch(block[:n]); m != nil {
				return string(m[1]), nil
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", err
		}
	}
	return "", nil
}

// findsNames says whether the server p would find the schemas of d: nil, or
// HELD. made is what madeCase found.
func (p Program) findsNames(server string, d Data, made string) error {
	s := &situation.Situation{Word: situation.Held, Subject: server}
	switch {
	case made != "" && made != p.Case:
		s.Text = fmt.Sprintf("data made with lower_case_table_names=%s, this image's server has %s; untouched.", made, p.Case)
		s.Next = fmt.Sprintf("set lower_case_table_names=%s in the server's configuration", made)
	case p.Case == "1" && d.Upper != "":
		s.Text = fmt.Sprintf("the schema %s has upper-case letters, and this image's server, with lower_case_table_names=1, would not find it; untouched.", d.Upper)
		s.Next = "set lower_case_table_names=0 in the server's configuration"
	default:
		return nil
	}
	return s
}
