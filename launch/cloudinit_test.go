package launch

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// TestPartHandler runs the handler that cloud-init is given as cloud-init runs it:
// what is ours leaves no word in its log, what is somebody else's does.
func TestPartHandler(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3, and so no cloud-init")
	}
	const drive = `
import importlib.util, json, logging, sys
spec = importlib.util.spec_from_file_location("handler", "../packaging/files/usr/share/bootswain/cloud-init-handler.py")
handler = importlib.util.module_from_spec(spec)
sys.dont_write_bytecode = True
spec.loader.exec_module(handler)
logging.basicConfig(stream=sys.stdout, level=logging.WARNING, format="%(message)s")
ctype, payload, raw = json.load(sys.stdin)
assert ctype in handler.list_types() + ["__begin__", "__end__"]
handler.handle_part(None, ctype, "part-001", payload.encode() if raw else payload, "once-per-instance")
`
	for name, c := range map[string]struct {
		kind, payload string
		raw           bool
		warns         bool
	}{
		"part":           {"text/x-bootswain", "version: 1\n", false, false},
		"bare":           {"text/x-not-multipart", bare, false, false},
		"bare, as bytes": {"text/x-not-multipart", "\uFEFF\r\n#bootswain \r\nversion: 1", true, false},
		"begin":          {"__begin__", "", false, false},
		"no payload":     {"text/x-not-multipart", "", false, false},
		"another's":      {"text/x-not-multipart", "hello world\n", true, true},
		"another's name": {"text/x-not-multipart", "#bootswainy\n", false, true},
	} {
		in, err := json.Marshal([]any{c.kind, c.payload, c.raw})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(python, "-c", drive)
		cmd.Stdin = strings.NewReader(string(in))
		out, err := cmd.CombinedOutput()
		if err != nil || c.warns != strings.HasPrefix(string(out), "Unhandled non-multipart (text/x-not-multipart) userdata: ") || !c.warns && len(out) > 0 {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
}
