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
import importlib.util, io, json, logging, sys
sys.dont_write_bytecode = True
spec = importlib.util.spec_from_file_location("handler", "../packaging/files/usr/share/bootswain/cloud-init-handler.py")
handler = importlib.util.module_from_spec(spec)
spec.loader.exec_module(handler)
said = []
for c in json.load(sys.stdin):
    assert c["Kind"] in handler.list_types() + ["__begin__", "__end__"]
    out = io.StringIO()
    logging.basicConfig(stream=out, level=logging.WARNING, format="%(message)s", force=True)
    handler.handle_part(None, c["Kind"], "part-001", c["Payload"].encode() if c["Raw"] else c["Payload"], "once-per-instance")
    said.append(out.getvalue())
print(json.dumps(said))
`
	tests := []struct {
		Kind, Payload string
		Raw, Warns    bool
	}{
		{"text/x-bootswain", "version: 1\n", false, false},
		{"text/x-not-multipart", bare, false, false},
		{"text/x-not-multipart", "\uFEFF\r\n#bootswain \r\nversion: 1", true, false},
		{"__begin__", "", false, false},
		{"text/x-not-multipart", "", false, false},
		{"text/x-not-multipart", "hello world\n", true, true},
		{"text/x-not-multipart", "#bootswainy\n", false, true},
	}
	in, err := json.Marshal(tests)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", drive)
	cmd.Stdin = strings.NewReader(string(in))
	out, err := cmd.Output()
	var said []string
	if err != nil || json.Unmarshal(out, &said) != nil || len(said) != len(tests) {
		t.Fatalf("%s, %v", out, err)
	}
	for i, c := range tests {
		if c.Warns != strings.HasPrefix(said[i], "Unhandled non-multipart (text/x-not-multipart) userdata: ") || !c.Warns && said[i] != "" {
			t.Errorf("%q as %s: %q", c.Payload, c.Kind, said[i])
		}
	}
}
