package spec

import (
	"bytes"
	"errors"
	"io"
	"sort"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// syntax notes an error of the YAML library, which knows the line only.
func (r *reader) syntax(doc []byte, err error) {
	line, message := place(err)
	switch {
	case blockError(message):
		line = firstBroken(doc, message)
	case strings.HasPrefix(message, "did not find expected"):
		line++ // the library counts these from 0
	}
	hint := ""
	switch {
	case strings.Contains(message, "cannot start any token"):
		hint = "YAML is indented with spaces, never with tabs, and text that begins with @, ` or % is quoted"
	case blockError(message):
		hint = "is the line indented like its neighbours?"
	}
	at := &yaml.Node{Line: max(line, 1), Column: 1}
	r.fault(at, "", hint, "not valid YAML: %s", strings.ToValidUTF8(message, "?"))
}

var yamlError = lazily(`^yaml: (?:line (\d+): )?(.*)$`)

// place returns the line that the library's error names, or 0, and its words.
func place(err error) (line int, message string) {
	m := yamlError.regexp().FindStringSubmatch(err.Error())
	if m == nil {
		return 0, err.Error()
	}
	line, _ = strconv.Atoi(m[1]) // empty is 0
	return line, m[2]
}

// blockError tells whether a line does not fit into the block around it. The
// library then names the line in which the block begins.
func blockError(message string) bool {
	return message == "did not find expected key" || message == "did not find expected '-' indicator"
}

// firstBroken returns the number of the first line with which the document
// fails with message; the lines above it are well-formed by themselves.
func firstBroken(doc []byte, message string) int {
	lines := bytes.SplitAfter(doc, []byte("\n"))
	return 1 + sort.Search(len(lines)-1, func(i int) bool {
		dec := yaml.NewDecoder(bytes.NewReader(bytes.Join(lines[:i+1], nil)))
		for {
			var n yaml.Node
			if err := dec.Decode(&n); errors.Is(err, io.EOF) {
				return false
			} else if err != nil {
				_, m := place(err)
				return m == message
			}
		}
	})
}
