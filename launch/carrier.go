package launch

import (
	"bufio"
	"bytes"
	"compress/gzip"
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

// ErrNone is user-data that holds no bootswain document: it is empty, or for
// somebody else, such as a shell script or cloud-config without our key.
var ErrNone = errors.New("the user-data holds no bootswain document")

const (
	maxUnwrapped = 1 << 20 // bytes that all layers together may unwrap to
	maxLayers    = 8       // carriers inside each other
)

// Unwrap takes the bootswain document out of its carrier:
//
//   - itself: the first line is #bootswain
//   - the key bootswain: in #cloud-config
//   - a MIME part of type text/x-bootswain, or one that is #cloud-config
//
// each also compressed with gzip or encoded as base64, as often as that. Lines
// and columns of the document are those of the text it was found in: what
// surrounds the key in cloud-config is blanked, not cut off. ErrNone is
// returned as it is; any other error means a damaged carrier.
func Unwrap(userData []byte) ([]byte, error) {
	u := unwrapper{left: maxUnwrapped}
	if err := u.unwrap(userData, 0); err != nil {
		return nil, fmt.Errorf("cannot unwrap the user-data: %w", err)
	}
	switch len(u.docs) {
	case 0:
		return nil, ErrNone
	case 1:
		return u.docs[0], nil
	}
	return nil, fmt.Errorf("cannot unwrap the user-data: it holds %d bootswain documents; one is allowed", len(u.docs))
}

// unwrapper gathers the documents found.
type unwrapper struct {
	docs [][]byte
	left int // bytes that may still be unwrapped
}

func (u *unwrapper) unwrap(text []byte, layer int) error {
	if layer == maxLayers {
		return fmt.Errorf("more than %d layers of wrapping", maxLayers)
	}
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	switch head := firstLine(text); {
	case bytes.HasPrefix(text, []byte("\x1f\x8b")):
		inner, err := u.gunzip(text)
		if err != nil {
			return err
		}
		return u.unwrap(inner, layer+1)
	case head == "#bootswain":
		u.docs = append(u.docs, text)
	case head == "#cloud-config":
		doc, err := fromCloudConfig(text)
		if doc != nil {
			u.docs = append(u.docs, doc)
		}
		return err
	case isMIME(text):
		return u.archive(text, layer)
	default:
		if inner := u.base64(text); inner != nil {
			return u.unwrap(inner, layer+1)
		}
	}
	return nil
}

// firstLine is the first line that is not blank.
func firstLine(text []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.TrimSpace(line))
}

// read reads all of r and takes it from the budget.
func (u *unwrapper) read(r io.Reader, what string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, int64(u.left)+1))
	if err != nil {
		return nil, fmt.Errorf("%s is damaged or cut short: %w", what, err)
	}
	if u.left -= len(text); u.left < 0 {
		return nil, fmt.Errorf("it unwraps to more than %d bytes", maxUnwrapped)
	}
	return text, nil
}

func (u *unwrapper) gunzip(text []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("the gzip data is damaged or cut short: %w", err)
	}
	return u.read(z, "the gzip data")
}

// base64 returns nil if the text is not base64 as a whole.
func (u *unwrapper) base64(text []byte) []byte {
	packed := bytes.Join(bytes.Fields(text), nil)
	inner, err := base64.StdEncoding.DecodeString(string(packed))
	if err != nil || len(inner) == 0 {
		return nil
	}
	return inner // shorter than the text it came from, which was paid for
}

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
	switch {
	case isNested, kind == "text/x-bootswain", kind == "text/cloud-config", kind == "text/plain", kind == "application/gzip", kind == "application/x-gzip":
	default:
		return nil
	}
	text, err := u.read(body, "a MIME part of type "+kind)
	if err != nil {
		return err
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
