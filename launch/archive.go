package launch

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"regexp"
	"strings"
)

var headerLine = regexp.MustCompile(`^([A-Za-z-]+:|From )`)

// isMIME follows cloud-init, which looks for this header in the first 4 KiB,
// but leaves alone what does not begin with a header.
func isMIME(text []byte) bool {
	head := bytes.ToLower(text[:min(len(text), 4096)])
	return headerLine.Match(text) && (bytes.Contains(head, []byte("mime-version:")) || bytes.HasPrefix(head, []byte("content-type:")))
}

// archive reads a MIME multipart message.
func (u *unwrapper) archive(text []byte, layer int) error {
	if bytes.HasPrefix(text, []byte("From ")) { // mbox, as older tools wrote
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	message, err := mail.ReadMessage(bufio.NewReader(bytes.NewReader(text)))
	if err != nil {
		return fmt.Errorf("the MIME header is damaged: %w", err)
	}
	kind, params, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("the MIME header has no Content-Type that can be read: %w", err)
	}
	body := decoded(message.Body, message.Header.Get("Content-Transfer-Encoding"))
	if !strings.HasPrefix(kind, "multipart/") {
		return u.part(body, kind, layer)
	}
	for parts := multipart.NewReader(body, params["boundary"]); ; {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the MIME archive is damaged or cut short: %w", err)
		}
		kind, _, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if err != nil {
			kind = "text/plain"
		}
		if strings.HasPrefix(kind, "multipart/") {
			kind = "multipart/" + part.Header.Get("Content-Type") // its boundary is needed
		}
		if err := u.part(decoded(part, part.Header.Get("Content-Transfer-Encoding")), kind, layer); err != nil {
			return err
		}
	}
}

func decoded(body io.Reader, encoding string) io.Reader {
	if strings.EqualFold(strings.TrimSpace(encoding), "base64") {
		return base64.NewDecoder(base64.StdEncoding, body)
	}
	return body
}

// part reads one part of an archive, if it is of a type that may hold our
// document.
func (u *unwrapper) part(body io.Reader, kind string, layer int) error {
	nested, isNested := strings.CutPrefix(kind, "multipart/")
	if !isNested {
		u.parts++
		u.name = fmt.Sprintf("part %d (%s)", u.parts, kind)
	}
	foreign := false
	switch {
	case isNested, kind == "text/x-bootswain", kind == "text/cloud-config", kind == "text/plain", kind == "application/gzip", kind == "application/x-gzip":
	case u.looking && strings.HasPrefix(kind, "text/"):
		foreign = true
	default:
		return nil
	}
	text, err := u.read(body, "a MIME part of type "+kind)
	if err != nil {
		return err
	}
	if foreign {
		u.others(text)
		return nil
	}
	if isNested {
		text = append([]byte("Content-Type: "+nested+"\n\n"), text...)
	}
	if kind != "text/x-bootswain" {
		return u.unwrap(text, layer+1)
	}
	before := len(u.docs)
	if err := u.unwrap(text, layer+1); err != nil || len(u.docs) > before {
		return err
	}
	u.docs = append(u.docs, text) // the type says what it is; the first line may be missing
	return nil
}
