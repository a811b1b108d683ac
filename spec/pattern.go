package spec

import (
	"regexp"
	"sync"
)

// pattern is a regular expression that is compiled when it is used first.
// Compiling all that are here took half of the time in which the program starts,
// and most of its processes, such as the database's gate, use none.
type pattern struct {
	text   string
	regexp func() *regexp.Regexp
}

func lazily(text string) *pattern {
	return &pattern{text, sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })}
}

// String returns the text.
func (p *pattern) String() string { return p.text }

// MatchString is as of package regexp.
func (p *pattern) MatchString(s string) bool { return p.regexp().MatchString(s) }
