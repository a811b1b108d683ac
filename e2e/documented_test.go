package e2e

import (
	"os"
	"regexp"
	"strings"
)

// documented is a document of docs/launch-data.md, known by the line before it,
// with the machine's own values in place of the reference's.
func (b *bench) documented(heading string, people []person, ours ...string) string {
	b.Helper()
	text, err := os.ReadFile("../docs/launch-data.md")
	must(b, err)
	_, after, found := strings.Cut(string(text), "\n"+heading+"\n\n```yaml\n")
	doc, _, ended := strings.Cut(after, "```\n")
	if !found || !ended {
		b.Fatalf("the reference has no document after %q", heading)
	}
	for _, p := range people {
		ours = append(ours, "ssh-ed25519 AAAA… "+p.name+"@laptop", p.line)
	}
	for i := 0; i < len(ours); i += 2 {
		if !strings.Contains(doc, ours[i]) {
			b.Errorf("%q is not in the document after %q", ours[i], heading)
		}
	}
	doc = strings.NewReplacer(ours...).Replace(doc)
	if left := regexp.MustCompile(`(?m)^[^#\n]*….*`).FindString(doc); left != "" {
		b.Errorf("not replaced: %s", left)
	}
	return doc
}
