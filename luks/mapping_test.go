package luks

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// tree writes files below a temporary directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestMapped(t *testing.T) {
	sys := tree(t, map[string]string{
		"block/dm-0/dm/name":         "bootswain-data\n",
		"block/dm-0/dm/uuid":         "CRYPT-LUKS2-12345678123482349234123456789abc-bootswain-data\n",
		"block/dm-1/dm/name":         "vg-lv\n",
		"block/md127/holders/dm-0":   "",
		"block/md127/holders/md126":  "",
		"block/nvme1n1/size":         "1\n",
		"block/nvme1n1/holders/dm-7": "", // closed while we look
	})
	m, err := Mapped(sys, "md127")
	want := []Mapping{{"dm-0", "bootswain-data", "CRYPT-LUKS2-12345678123482349234123456789abc-bootswain-data"}}
	if err != nil || !reflect.DeepEqual(m, want) {
		t.Errorf("on md127: %+v, %v", m, err)
	}
	if !m[0].Opens(fixtureUUID) || m[0].Opens("12345678-1234-8234-9234-123456789abd") {
		t.Error("Opens does not tell which header is open")
	}
	for _, none := range []string{"nvme1n1", "nvme9n1"} {
		if m, err := Mapped(sys, none); len(m) != 0 || err != nil {
			t.Errorf("on %s: %+v, %v", none, m, err)
		}
	}
	if all, err := Mappings(sys); err != nil || len(all) != 2 || all[1].Name != "vg-lv" {
		t.Errorf("all: %+v, %v", all, err)
	}
}
