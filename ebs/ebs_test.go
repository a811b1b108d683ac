package ebs

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// disk is one directory of /sys/block: paths of attributes to their content; a
// path that ends in a slash is a directory.
type disk map[string]string

func ebsDisk(serial, number, seq string) disk {
	return disk{
		"device/serial": serial + "\n", "device/model": "Amazon Elastic Block Store              \n",
		"size": "20971520\n", "dev": number + "\n", "diskseq": seq + "\n", "hidden": "0\n", "ro": "0\n", "holders/": "",
	}
}

func (d disk) with(path, content string) disk {
	c := disk{path: content}
	for k, v := range d {
		if k != path {
			c[k] = v
		}
	}
	return c
}

func sysfs(t *testing.T, disks map[string]disk) Host {
	t.Helper()
	sys := t.TempDir()
	for name, d := range disks {
		for path, content := range d {
			full := filepath.Join(sys, "block", name, path)
			if strings.HasSuffix(path, "/") {
				must(t, os.MkdirAll(full, 0o755))
				continue
			}
			must(t, os.MkdirAll(filepath.Dir(full), 0o755))
			must(t, os.WriteFile(full, []byte(content), 0o644))
		}
	}
	return Host{Sys: sys, Dev: "/dev"}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestInstanceStore(t *testing.T) {
	ebs := ebsDisk("vol0a1b2c3d4e5f60718", "259:1", "7")
	store := func(serial, model string) disk {
		return ebs.with("device/serial", serial).with("device/model", model+"  \n")
	}
	h := sysfs(t, map[string]disk{
		"nvme0n1": ebs,
		"nvme1n1": store("AWS22D9F5E6F2E1C6AEB", instanceStore),
		"nvme2n1": store("AWS11AA22BB33CC44DD5", "QEMU NVMe Ctrl"), // as the laboratory gives it
		"nvme3n1": store("AWS too short", "QEMU NVMe Ctrl"),
	})
	got, err := h.InstanceStore()
	if err != nil || len(got) != 2 || got[0].VolumeID != "AWS11AA22BB33CC44DD5" || got[1].Path != "/dev/nvme1n1" || got[1].VolumeID != got[1].Serial {
		t.Errorf("InstanceStore() = %+v, %v", got, err)
	}
	if volumes, err := h.Devices(); err != nil || len(volumes) != 1 || volumes[0].Name != "nvme0n1" {
		t.Errorf("Devices() = %+v, %v", volumes, err)
	}
}

func TestDevices(t *testing.T) {
	one := ebsDisk("vol0a1b2c3d4e5f60718", "259:1", "7")
	plain := Device{
		VolumeID: "vol-0a1b2c3d4e5f60718", Name: "nvme1n1", Path: "/dev/nvme1n1", Number: "259:1",
		Model: "Amazon Elastic Block Store", Serial: "vol0a1b2c3d4e5f60718", Size: 10 << 30, Diskseq: 7,
	}
	change := func(f func(*Device)) []Device { d := plain; f(&d); return []Device{d} }
	for name, tt := range map[string]struct {
		disks map[string]disk
		want  []Device
	}{
		"an EBS volume": {map[string]disk{"nvme1n1": one}, []Device{plain}},
		"QEMU's model, EBS's serial": {
			map[string]disk{"nvme1n1": one.with("device/model", "QEMU NVMe Ctrl\n")},
			change(func(d *Device) { d.Model = "QEMU NVMe Ctrl" }),
		},
		"a serial with the dash": {
			map[string]disk{"nvme1n1": one.with("device/serial", "vol-0a1b2c3d4e5f60718")},
			change(func(d *Device) { d.Serial = "vol-0a1b2c3d4e5f60718" }),
		},
		"in use and partitioned": {
			map[string]disk{"nvme1n1": one.with("holders/md127", "").with("nvme1n1p1/partition", "1\n").with("ro", "1\n")},
			change(func(d *Device) {
				d.Holders, d.Partitions, d.ReadOnly = []string{"md127"}, []string{"nvme1n1p1"}, true
			}),
		},
		"hidden twins are skipped": {
			map[string]disk{"nvme1n1": one, "nvme1c1n1": one.with("hidden", "1\n"), "nvme2n1": one.with("hidden", "1\n")},
			[]Device{plain},
		},
		"instance store is not EBS": {
			map[string]disk{"nvme1n1": ebsDisk("AWS22A9B1C5B3C5F0E6F", "259:1", "7").with("device/model", instanceStore+"\n"),
				"nvme2n1": one.with("device/model", instanceStore+"\n")}, nil,
		},
		"no volume's serial, no NVMe": {
			map[string]disk{"nvme0n1": one.with("device/serial", "vol0root\n"), "sda": one, "md127": {"size": "0"}}, nil,
		},
		"gone while it is read":     {map[string]disk{"nvme1n1": {"hidden": "0\n"}, "nvme2n1": {"size": "1\n"}}, nil},
		"a kernel without diskseqs": {map[string]disk{"nvme1n1": without(one, "diskseq")}, change(func(d *Device) { d.Diskseq = 0 })},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := sysfs(t, tt.disks).Devices()
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Devices() = %+v, %v\nwant %+v", got, err, tt.want)
			}
		})
	}
}

func without(d disk, path string) disk {
	c := d.with(path, "")
	delete(c, path)
	return c
}

func TestDevicesErrors(t *testing.T) {
	_, err := Host{Sys: t.TempDir(), Dev: "/dev"}.Devices()
	wantError(t, err, "cannot list block devices")
	_, err = sysfs(t, map[string]disk{"nvme1n1": ebsDisk("vol0a1b2c3d", "259:1", "1").with("size", "many\n")}).Devices()
	wantError(t, err, `cannot read what nvme1n1 is: attribute size is "many", not a number`)
}

func TestRecheck(t *testing.T) {
	h := sysfs(t, map[string]disk{"nvme1n1": ebsDisk("vol0a1b2c3d", "259:1", "7")})
	devs, err := h.Devices()
	if err != nil || len(devs) != 1 {
		t.Fatalf("Devices() = %v, %v", devs, err)
	}
	d := devs[0]
	must(t, h.Recheck(d))
	for name, tt := range map[string]struct{ path, content, want string }{
		"diskseq": {"diskseq", "8\n", "diskseq 8"},
		"serial":  {"device/serial", "vol0ffffffff\n", "is now another disk (serial vol0ffffffff"},
		"number":  {"dev", "259:9\n", "number 259:9"},
	} {
		h := sysfs(t, map[string]disk{"nvme1n1": ebsDisk("vol0a1b2c3d", "259:1", "7").with(tt.path, tt.content)})
		t.Run(name, func(t *testing.T) { wantError(t, h.Recheck(d), tt.want) })
	}
	wantError(t, sysfs(t, nil).Recheck(d), "vol-0a1b2c3d (/dev/nvme1n1) is gone")
}

func TestInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk")
	must(t, os.WriteFile(path, make([]byte, 4096), 0o600))
	if used, err := InUse(path); used || err != nil {
		t.Errorf("InUse() = %v, %v", used, err)
	}
	_, err := InUse(path + "2")
	wantError(t, err, "cannot find out whether "+path+"2 is in use")
}

// wantError asks for an error that says what it should.
func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error is %v, want one with %q", err, want)
	}
}
