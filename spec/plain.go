package spec

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"
)

var (
	// secretWord is what people call variables that hold secrets.
	secretWord = lazily(`(?i)(^|_)(pass(word|wd|phrase)?|secret|token|api_?key|private_?key|access_?key|credentials?)(_|\d|$)`)
	// secretValue is what secrets look like, whatever their name: private keys,
	// age identities, access keys of AWS, tokens of GitHub, GitLab and Slack,
	// JSON Web Tokens, password hashes of crypt(5), passwords in URLs.
	secretValue = lazily(`PRIVATE KEY( BLOCK)?-----|AGE-SECRET-KEY-(PQ-)?1|\b(AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}|\bglpat-[\w-]{20}|\bxox[abeprs]-[\w-]{10}|` +
		`\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.|\$(1|2[aby]|5|6|y|gy|7)\$[./A-Za-z0-9]|\w://[^/\s:@]+:[^/\s:@]+@`)
	// elsewhere is a value that only says where a secret is.
	elsewhere = lazily(`^(/|[a-z0-9]+://[^@]*$|ssm:|secretsmanager:|arn:)`)
)

func isPlace(value string) bool { return value == "" || elsewhere.MatchString(value) }

// PlainSecrets names the places of the document that look like a secret in
// clear. Whoever may read the instance's attributes, or runs on it, can read
// launch data. Its words never repeat a value.
func PlainSecrets(doc []byte) (found []Fault) {
	seen := map[int]bool{}
	add := func(line, column int, path, message string) {
		if !seen[line] {
			seen[line] = true
			found = append(found, Fault{Line: line, Column: column, Path: path, Message: message})
		}
	}
	var r reader
	if env := valueOf(r.root(doc), "env"); env != nil {
		for name, pair := range r.pairs(env, "env") {
			if secretWord.MatchString(name) && !isPlace(pair.value.Value) && pair.value.Kind == yaml.ScalarNode {
				add(pair.value.Line, pair.value.Column, step("env", name), "is called like a secret and stands in clear")
			}
		}
	}
	for i, line := range bytes.Split(doc, []byte("\n")) {
		if at := secretValue.regexp().FindIndex(line); at != nil {
			add(i+1, at[0]+1, "", looksSecret)
		}
	}
	sortFaults(found)
	return found
}

const looksSecret = "this looks like a secret in clear"

var (
	// assigned is a name and what it is given, in shells and their flags, in YAML,
	// JSON and INI.
	assigned = lazily(`([A-Za-z][\w-]*)["']?\s*(?::["'\s]|=)\s*["']?([^\s"',;}]+)`)
	// about is a name of what is about a secret and none itself.
	about = lazily(`(?i)[_-](id|name|arn|file|path)$`)
	// noSecret is a value that is none: another's, a switch, a number such as the
	// life of a token, the rest of ==, or what opens a block of YAML.
	noSecret = lazily("(?i)^([=$`|>&*<\\[{]|(true|false|yes|no|on|off|null|none|\\d+)$)")
)

// PlainSecretsBeside names the places of a text of somebody else's, such as a
// script, that look like a secret in clear. Its words never repeat a value.
func PlainSecretsBeside(text []byte) (found []Fault) {
	for i, line := range bytes.Split(text, []byte("\n")) {
		if at := secretValue.regexp().FindIndex(line); at != nil {
			found = append(found, Fault{Line: i + 1, Column: at[0] + 1, Message: looksSecret})
			continue
		}
		if bytes.HasPrefix(bytes.TrimSpace(line), []byte("#")) {
			continue
		}
		for _, m := range assigned.regexp().FindAllSubmatchIndex(line, -1) {
			name, value := string(line[m[2]:m[3]]), string(line[m[4]:m[5]])
			if secretWord.MatchString(strings.ReplaceAll(name, "-", "_")) && !about.MatchString(name) && !isPlace(value) && !noSecret.MatchString(value) {
				found = append(found, Fault{Line: i + 1, Column: m[4] + 1, Path: step("", name), Message: "is called like a secret and stands in clear"})
				break
			}
		}
	}
	return found
}
