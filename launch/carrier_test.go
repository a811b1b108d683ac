package launch

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
)

const bare = "#bootswain\nversion: 1\nusers: [{name: ops}]\n"

func zip(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil || w.Close() != nil {
		panic("a buffer takes everything")
	}
	return b.String()
}

func b64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func mimeOf(parts ...string) string {
	return "Content-Type: multipart/mixed; boundary=\"==B==\"\nMIME-Version: 1.0\n\n--==B==\n" + strings.Join(parts, "\n--==B==\n") + "\n--==B==--\n"
}

func part(kind, encoding, body string) string {
	return "Content-Type: " + kind + "; charset=\"utf-8\"\nMIME-Version: 1.0\nContent-Transfer-Encoding: " + encoding + "\n\n" + body
}

func TestUnwrap(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"bare", bare, bare},
		{"blank lines first", "\n\n" + bare, "\n\n" + bare},
		{"CRLF", "#bootswain\r\nversion: 1\r\n", "#bootswain\r\nversion: 1\r\n"},
		{"BOM", "\uFEFF" + bare, bare},
		{"gzip", zip(bare), bare},
		{"base64", b64(bare) + "\n", bare},
		{"base64 of gzip", b64(zip(bare)), bare},
		{"gzip of base64, wrapped", zip(b64(bare)[:20] + "\n" + b64(bare)[20:]), bare},
		{"cloud-config", "#cloud-config\npackages: [ü, b]\nbootswain:\n  version: 1\n  users: []\nruncmd: []\n", "             \n                \n          \n  version: 1\n  users: []\n"},
		{"cloud-config last", "#cloud-config\nbootswain:\n  version: 1", "             \n          \n  version: 1"},
		{"cloud-config in a line", "#cloud-config\nbootswain: {version: 1}\nruncmd: []\n", "             \n           {version: 1}\n"},
		{"cloud-config CRLF", "#cloud-config\r\nbootswain:\r\n  version: 1\r\nx: 1\r\n", "             \r\n          \r\n  version: 1\r\n"},
		{"cloud-config quoted", "#cloud-config\n\"bootswain\":\n  \"version\": 1\n\"x\": 1\n", "             \n            \n  \"version\": 1\n"},
		{"cloud-config JSON", "#cloud-config\n{\"a\": 1, \"bootswain\": {\"version\": 1}, \"b\": 2}\n", "             \n                      {\"version\": 1}"},
		{"cloud-config JSON last", "#cloud-config\n{\"bootswain\": {\"version\": 1}\n}\n", "             \n              {\"version\": 1}"},
		{"MIME", mimeOf(part("text/x-shellscript", "7bit", "#!/bin/sh\n#bootswain"), part("text/x-bootswain", "7bit", bare)), bare},
		{"MIME base64", mimeOf(part("text/x-bootswain", "base64", b64(bare)[:16]+"\n"+b64(bare)[16:])), bare},
		{"MIME base64 gzip", mimeOf(part("text/x-bootswain", "base64", b64(zip(bare)))), bare},
		{"MIME quoted-printable", mimeOf(part("text/x-bootswain", "quoted-printable", "#bootswain\nversion: =31\n")), "#bootswain\nversion: 1\n"},
		{"MIME headless", mimeOf(part("text/x-bootswain", "7bit", "version: 1\n")), "version: 1\n"},
		{"MIME CRLF", strings.ReplaceAll(mimeOf(part("text/x-bootswain", "7bit", "#bootswain\nversion: 1\n")), "\n", "\r\n"), "#bootswain\r\nversion: 1\r\n"},
		{"MIME mbox", "From nobody Sun Nov 22 09:00:00 2026\n" + mimeOf(part("text/x-bootswain", "7bit", bare)), bare},
		{"MIME cloud-config", mimeOf(part("text/cloud-config", "7bit", "#cloud-config\nbootswain: {version: 1}")), "             \n           {version: 1}"},
		{"MIME nested", mimeOf(strings.ReplaceAll(mimeOf(part("text/x-bootswain", "7bit", bare)), "==B==", "==C==")), bare},
		{"MIME single", "Content-Type: text/x-bootswain\nMIME-Version: 1.0\n\n" + bare, bare},
		{"MIME gzip", zip(mimeOf(part("text/x-bootswain", "7bit", bare))), bare},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc, err := Unwrap([]byte(tt.in))
			if err != nil || strings.TrimRight(string(doc), "\r\n") != strings.TrimRight(tt.want, "\r\n") {
				t.Errorf("got %q, %v\nwant %q", doc, err, tt.want)
			}
		})
	}
}

func TestBeside(t *testing.T) {
	const script = "#!/bin/sh\necho hello\n"
	cloud := "#cloud-config\nbootswain:\n  version: 1\npassword: x\n"
	rest := "#cloud-config\nbootswain:\n            \npassword: x\n"
	for name, c := range map[string]struct {
		in   string
		want []string
	}{
		"bare":         {bare, nil},
		"script":       {script, []string{": " + script}},
		"cloud-config": {zip(cloud), []string{": " + rest}},
		"JSON":         {"#cloud-config\n{\"bootswain\": {\"version\": 1}, \"a\": 2}", []string{": #cloud-config\n{\"bootswain\":               , \"a\": 2}"}},
		"others' only": {"#cloud-config\nruncmd: [", []string{": #cloud-config\nruncmd: ["}},
		"MIME": {mimeOf(part("text/x-bootswain", "7bit", bare), part("text/x-shellscript", "base64", b64(script)), part("image/png", "7bit", "x"), strings.ReplaceAll(mimeOf(part("text/cloud-config", "7bit", "#cloud-config\na: b")), "==B==", "==C==")), []string{
			"part 2 (text/x-shellscript): " + script, "part 4 (text/cloud-config): #cloud-config\na: b",
		}},
	} {
		texts, err := Beside([]byte(c.in))
		var got []string
		for _, text := range texts {
			got = append(got, text.Name+": "+string(text.Text))
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v\nwant %q", name, got, err, c.want)
		}
	}
	_, err := Beside([]byte(mimeOf(part("text/x-shellscript", "base64", "!!!"))))
	if err == nil || !strings.Contains(err.Error(), "a MIME part of type text/x-shellscript is damaged or cut short") {
		t.Errorf("damaged: %v", err)
	}
}

func TestUnwrapNone(t *testing.T) {
	for name, in := range map[string]string{
		"empty": "", "blank": " \n", "script": "#!/bin/sh\necho MIME-Version: 1.0\n", "cloud-config": "#cloud-config\nruncmd: []\n",
		"cloud-config broken": "#cloud-config\nruncmd: [\n", "cloud-config list": "#cloud-config\n- bootswain\n", "other word": "#bootswainy\nversion: 1\n",
		"MIME of others": mimeOf(part("text/x-shellscript", "7bit", "#!/bin/sh")), "base64 of a script": b64("#!/bin/sh\n"), "binary": "\x00\x01\x02", "word": "hello",
		"key inside": "#cloud-config\nwrite_files:\n- content: |\n    bootswain: 1\n",
	} {
		if doc, err := Unwrap([]byte(in)); !errors.Is(err, ErrNone) {
			t.Errorf("%s: got %q, %v, want ErrNone", name, doc, err)
		}
	}
}

func TestUnwrapFaults(t *testing.T) {
	onion := bare
	for range maxLayers {
		onion = zip(onion)
	}
	bomb := zip(strings.Repeat("#", maxUnwrapped+1))
	tests := []struct{ name, in, want string }{
		{"gzip cut", zip(bare)[:40], "the gzip data is damaged or cut short"},
		{"gzip header", "\x1f\x8bx", "the gzip data is damaged or cut short"},
		{"bomb", bomb, "it unwraps to more than 1048576 bytes"},
		{"many bombs", mimeOf(part("text/plain", "base64", b64(zip(strings.Repeat("x", 600<<10)))), part("text/plain", "base64", b64(zip(strings.Repeat("x", 600<<10))))), "it unwraps to more than 1048576 bytes"},
		{"onion", onion, "more than 8 layers of wrapping"},
		{"cloud-config broken", "#cloud-config\nbootswain:\n  version: 1\nruncmd: [\n", "the cloud-config around bootswain: is not valid YAML: line 4"},
		{"cloud-config empty", "#cloud-config\nbootswain:\n", "the key bootswain in line 2 of the cloud-config is empty"},
		{"cloud-config twice", "#cloud-config\nbootswain: {}\nbootswain: {}\n", "the cloud-config has the key bootswain twice, the second time in line 3"},
		{"cloud-config flow", "#cloud-config\n{bootswain: {version: 1}, a: b}\n", "write it as a block, one key a line"},
		{"cloud-config alias", "#cloud-config\na: &a {version: 1}\nbootswain: *a\n", "write it as a block, one key a line"},
		{"MIME cut", mimeOf(part("text/x-bootswain", "7bit", bare))[:200], "is damaged or cut short"},
		{"MIME base64", mimeOf(part("text/x-bootswain", "base64", "!!!")), "a MIME part of type text/x-bootswain is damaged or cut short"},
		{"MIME type", "MIME-Version: 1.0\nContent-Type: ;;\n\nx", "the MIME header has no Content-Type that can be read"},
		{"two", mimeOf(part("text/x-bootswain", "7bit", bare), part("text/cloud-config", "7bit", "#cloud-config\nbootswain: {version: 1}")), "it holds 2 bootswain documents"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc, err := Unwrap([]byte(tt.in))
			if err == nil || errors.Is(err, ErrNone) || !strings.HasPrefix(err.Error(), "cannot unwrap the user-data: ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, %v, want %q", doc, err, tt.want)
			}
		})
	}
}

func FuzzUnwrap(f *testing.F) {
	for _, in := range []string{
		"", bare, zip(bare), b64(zip(bare)), "\uFEFF" + bare, "#!/bin/sh\n", "#cloud-config\nbootswain:\n  version: 1\nx: 1\n", "#cloud-config\n{\"bootswain\": {\"version\": 1}}\n",
		"#cloud-config\nbootswain: |\n  x\n", "#cloud-config\r\nbootswain: &a\r\n  a: *a\r\n", mimeOf(part("text/x-bootswain", "base64", b64(bare))),
		mimeOf(mimeOf(part("text/cloud-config", "quoted-printable", "#cloud-config\nbootswain: {}"))), "From x\nMIME-Version: 1.0\n\n", zip("")[:12],
	} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		doc, err := Unwrap(in)
		if (doc == nil) != (err != nil) {
			t.Errorf("got %q and %v", doc, err)
		}
		if texts, besideErr := Beside(in); besideErr == nil && err != nil && !errors.Is(err, ErrNone) && !strings.Contains(err.Error(), "bootswain documents") {
			t.Errorf("%d texts beside, and %v", len(texts), err)
		}
		if len(doc) > len(in)+maxUnwrapped {
			t.Errorf("%d bytes from %d", len(doc), len(in))
		}
	})
}
