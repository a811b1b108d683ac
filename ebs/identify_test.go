package ebs

import (
	"encoding/binary"
	"strings"
	"testing"
	"unsafe"
)

// identifyPage is an Identify Controller page with the given vendor and name.
func identifyPage(vendor uint16, name string) []byte {
	page := make([]byte, pageBytes)
	binary.LittleEndian.PutUint16(page, vendor)
	copy(page[nameOffset:], name+strings.Repeat(" ", nameBytes-len(name)))
	return page
}

func TestParseIdentify(t *testing.T) {
	for name, tt := range map[string]struct {
		page      []byte
		want, err string
	}{
		"short form":           {identifyPage(vendorAmazon, "sdf"), "/dev/sdf", ""},
		"long form":            {identifyPage(vendorAmazon, "/dev/xvdba"), "/dev/xvdba", ""},
		"no name":              {identifyPage(vendorAmazon, ""), "", ""},
		"another vendor":       {identifyPage(0x1b36, "sdf"), "", ""},
		"padded with NUL":      {append(identifyPage(vendorAmazon, "")[:nameOffset], append([]byte("sdf"), make([]byte, 1021)...)...), "/dev/sdf", ""},
		"cut off":              {make([]byte, 512), "", "has 512 bytes, not 4096"},
		"not a name":           {identifyPage(vendorAmazon, "s\x01f"), "", "gives the device name"},
		"a name with a space":  {identifyPage(vendorAmazon, "sd f"), "", "gives the device name"},
		"nothing but a prefix": {identifyPage(vendorAmazon, "/dev/"), "", "gives the device name"},
		"a path":               {identifyPage(vendorAmazon, "/dev/../sdf"), "", "gives the device name"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseIdentify(tt.page)
			if got != tt.want || (err == nil) != (tt.err == "") {
				t.Errorf("parseIdentify() = %q, %v; want %q", got, err, tt.want)
			}
			if tt.err != "" {
				wantError(t, err, tt.err)
			}
		})
	}
}

// TestAdminCommand compares with the sizes in linux/nvme_ioctl.h: the request
// number carries that of the structure.
func TestAdminCommand(t *testing.T) {
	if size := unsafe.Sizeof(adminCmd{}); size != ioctlAdmin>>16&0x3fff {
		t.Errorf("the admin command has %d bytes, the ioctl asks for %d", size, ioctlAdmin>>16&0x3fff)
	}
	if off := unsafe.Offsetof(adminCmd{}.cdw10); off != 40 {
		t.Errorf("cdw10 is at %d, not at 40", off)
	}
}

func FuzzIdentify(f *testing.F) {
	f.Add(identifyPage(vendorAmazon, "sdf"))
	f.Add(identifyPage(vendorAmazon, "/dev/sdf"))
	f.Add([]byte("\x0f\x1d"))
	f.Fuzz(func(t *testing.T, page []byte) {
		name, err := parseIdentify(page)
		if err != nil && name != "" {
			t.Errorf("both %q and %v", name, err)
		}
		rest, is := strings.CutPrefix(name, "/dev/")
		if name != "" && (!is || rest == "" || strings.ContainsAny(rest, "/ \n")) {
			t.Errorf("name is %q", name)
		}
	})
}
