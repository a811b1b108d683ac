package launch

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
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

	looking bool // for the texts of others beside it, too
	beside  []Text
	parts   int    // of archives, so far
	name    string // of the part that is unwrapped
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
		doc, rest, err := fromCloudConfig(text)
		if doc != nil {
			u.docs = append(u.docs, doc)
		}
		u.others(rest)
		return err
	case isMIME(text):
		return u.archive(text, layer)
	default:
		if inner := u.base64(text); inner != nil {
			return u.unwrap(inner, layer+1)
		}
		u.others(text)
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
