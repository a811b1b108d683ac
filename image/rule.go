package image

import (
	"bytes"
	"regexp"
	"strings"
	"sync"
	"unicode"
)

// rule finds one kind of secret in text.
type rule struct {
	what string
	keys []string              // one of them is in every text that the rule finds; none: unknown
	re   func() *regexp.Regexp // its first group, if there is one, is the secret itself, unless it only stands for one
	// judge, if there is one, decides instead about what re found (as of
	// FindSubmatchIndex) and says what it is; "" is nothing.
	judge func(text []byte, m []int) string
}

// pattern is compiled when it is used first: compiling all that are here takes
// most of the time that the program takes to start, and the database's gate is
// the same program.
func pattern(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

type match struct {
	at   int // where the secret begins in the text
	what string
}

func (r rule) find(text []byte) (found []match) {
	if !r.worthwhile(text) {
		return nil
	}
	for _, m := range r.re().FindAllSubmatchIndex(text, -1) {
		at, what := m[0], r.what
		switch {
		case r.judge != nil:
			what = r.judge(text, m)
		case len(m) > 2:
			at = m[2]
			if stands(text[m[2]:m[3]]) {
				what = ""
			}
		}
		if what != "" {
			found = append(found, match{at, what})
		}
	}
	return found
}

// worthwhile is what most texts fail, at a fraction of what a regular expression
// costs.
func (r rule) worthwhile(text []byte) bool {
	for _, k := range r.keys {
		if bytes.Contains(text, []byte(k)) {
			return true
		}
	}
	return len(r.keys) == 0
}

// stands tells whether the value only stands for a secret: a variable, a blank
// to be filled in, or the one in the vendor's documentation.
func stands(value []byte) bool {
	v := strings.ToLower(string(value))
	switch v {
	case "true", "false", "yes", "no", "on", "off", "none", "null", "nil", "password_here", "your_password", "yourpassword":
		return true
	}
	if strings.HasPrefix(v, "$") || strings.HasPrefix(v, "%") || strings.HasPrefix(v, "<") || strings.HasPrefix(v, "{{") || strings.HasPrefix(v, "!!") {
		return true
	}
	return strings.Contains(v, "example") || strings.Trim(v, "*") == "" || strings.Trim(v, "x") == "" || strings.Trim(v, ".") == ""
}

// varied judges a random token: in documentation they repeat themselves.
func varied(what string) func([]byte, []int) string {
	return func(text []byte, m []int) string {
		token := text[m[0]:m[1]]
		lower := bytes.ToLower(token)
		seen := map[byte]bool{}
		for _, c := range token {
			seen[c] = true
		}
		for _, sample := range []string{"example", "xxxx", "0000", "1234567", "abcdefg", "your"} {
			if bytes.Contains(lower, []byte(sample)) {
				return ""
			}
		}
		if len(seen) < 11 {
			return ""
		}
		return what
	}
}

// mixed tells whether a text has lower case, upper case and digits, which a
// checksum in hexadecimal has not.
func mixed(b []byte) bool {
	s := string(b)
	return strings.ContainsFunc(s, unicode.IsLower) && strings.ContainsFunc(s, unicode.IsUpper) && strings.ContainsFunc(s, unicode.IsDigit)
}
