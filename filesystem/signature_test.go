package filesystem

import (
	"context"
	"errors"
	"slices"
	"testing"

	"bootswain/internal/run"
)

// runner answers as a program would.
type runner func(run.Cmd) ([]byte, error)

func (r runner) Run(_ context.Context, c run.Cmd) ([]byte, error) { return r(c) }

// Answers of wipefs from util-linux 2.41.5.
const (
	wipefsBlank = "{\n   \"signatures\": [\n\n   ]\n}\n"
	wipefsGPT   = `{"signatures": [
      {"device": "nvme1n1", "offset": "0x200", "type": "gpt", "uuid": null, "label": null},
      {"device": "nvme1n1", "offset": "0x438", "type": "ext4", "uuid": "c8852f13-baa7-4435-8bf3-24e0a5b9949c", "label": "backup"}
   ]}`
)

func TestSignatures(t *testing.T) {
	for name, tt := range map[string]struct {
		out  string
		want []Signature
	}{
		"blank": {wipefsBlank, nil},
		"two": {wipefsGPT, []Signature{
			{Offset: 0x200, Type: "gpt"},
			{Offset: 0x438, Type: "ext4", UUID: "c8852f13-baa7-4435-8bf3-24e0a5b9949c", Label: "backup"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			wipefs := func(c run.Cmd) ([]byte, error) {
				if c.String() != "wipefs --json --no-act /dev/nvme1n1" {
					t.Errorf("ran %s", c)
				}
				return []byte(tt.out), nil
			}
			got, err := Signatures(t.Context(), runner(wipefs), "/dev/nvme1n1")
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("Signatures() = %v, %v; want %v", got, err, tt.want)
			}
		})
	}
}

func TestSignaturesErrors(t *testing.T) {
	for name, tt := range map[string]struct{ out, want string }{
		"nothing at all":    {"", "cannot understand wipefs"},
		"half an answer":    {wipefsGPT[:100], "cannot understand wipefs"},
		"another answer":    {`{}`, "has no list of signatures"},
		"no list":           {`{"signatures": null}`, "has no list of signatures"},
		"no type":           {`{"signatures": [{"offset": "0x0"}]}`, "the signature at 0x0 has no type"},
		"no offset":         {`{"signatures": [{"type": "xfs"}]}`, `"" is no offset`},
		"a negative offset": {`{"signatures": [{"type": "xfs", "offset": "-1"}]}`, `"-1" is no offset`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Signatures(t.Context(), runner(func(run.Cmd) ([]byte, error) { return []byte(tt.out), nil }), "/dev/x")
			wantError(t, err, "cannot tell what is on /dev/x")
			wantError(t, err, tt.want)
			if got != nil {
				t.Errorf("and yet %v", got)
			}
		})
	}
	fails := runner(func(run.Cmd) ([]byte, error) {
		return []byte(wipefsBlank), &run.ExitError{Cmd: "wipefs", Code: 1, Stderr: "wipefs: error: /dev/x: probing initialization failed: Input/output error"}
	})
	got, err := Signatures(t.Context(), fails, "/dev/x")
	wantError(t, err, "Input/output error")
	if got != nil || run.ExitCode(err) != 1 {
		t.Errorf("Signatures() = %v, %v", got, err)
	}
}

func TestSignatureString(t *testing.T) {
	for want, s := range map[string]Signature{
		`ext4 "backup" 5e1f`:  {Type: "ext4", Label: "backup", UUID: "5e1f"},
		"btrfs":               {Type: "btrfs"},
		"MBR partition table": {Type: "dos"},
	} {
		if s.String() != want {
			t.Errorf("String() = %s, want %s", s, want)
		}
	}
}

// TestSignaturesForReal asks this machine's wipefs, where there is one.
func TestSignaturesForReal(t *testing.T) {
	path := sparseFile(t, 1<<20)
	got, err := Signatures(t.Context(), run.Host{}, path)
	if _, missing := errors.AsType[*run.MissingError](err); missing {
		t.Skip(err)
	}
	if got != nil || err != nil {
		t.Errorf("Signatures() of a blank file = %v, %v", got, err)
	}
	_, err = Signatures(t.Context(), run.Host{}, path+"2")
	wantError(t, err, "cannot tell what is on "+path+"2")
}

func FuzzWipefs(f *testing.F) {
	f.Add([]byte(wipefsBlank))
	f.Add([]byte(wipefsGPT))
	f.Add([]byte(`{"signatures":[{"offset":"0x0","type":"x"}],"signatures":null}`))
	f.Fuzz(func(t *testing.T, out []byte) {
		got, err := parseWipefs(out)
		if err != nil && got != nil {
			t.Errorf("both %v and %v", got, err)
		}
		for _, s := range got {
			if s.Type == "" || s.Offset < 0 {
				t.Errorf("signature %+v", s)
			}
		}
	})
}
