package ebs

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"bootswain/internal/situation"
	labec2 "bootswain/lab/ec2"
)

// xenSysfs is /sys/block as xen-blkfront fills it: a disk has neither serial nor
// model.
func xenSysfs(t *testing.T, seqs map[string]string) Host {
	disks := map[string]disk{"loop0": {"dev": "7:0\n"}}
	for name, seq := range seqs {
		disks[name] = disk{"size": "20971520\n", "dev": "202:80\n", "diskseq": seq + "\n", "hidden": "0\n", "ro": "0\n", "holders/": "", "device/devtype": "vbd\n"}
	}
	h := sysfs(t, disks)
	h.Identify = func(path string) ([]byte, error) {
		t.Errorf("%s was asked to identify itself", path)
		return nil, errors.New("no NVMe")
	}
	h.Xen = new(Xen)
	return h
}

func answers(m map[string]string) func(context.Context) (map[string]string, error) {
	return func(context.Context) (map[string]string, error) { return maps.Clone(m), nil }
}

func refuses(err error) func(context.Context) (map[string]string, error) {
	return func(context.Context) (map[string]string, error) { return nil, err }
}

func TestXen(t *testing.T) {
	const a, b = "vol-0000000000000000a", "vol-0000000000000000b"
	three := map[string]string{"xvda": "1", "xvdf": "7", "xvdg": "8"}
	denied := &situation.Situation{Text: "EC2 denied DescribeVolumes (UnauthorizedOperation)."}
	attached := answers(map[string]string{"/dev/sda1": "vol-00000000000000000", "/dev/sdf": a, "/dev/xvdg": b})
	for name, tt := range map[string]struct {
		seqs             map[string]string
		attached, stores func(context.Context) (map[string]string, error)
		ids, names       []string
		found, missing   []string
		nameless         string
	}{
		"by id":                  {three, attached, answers(nil), []string{b, a}, nil, []string{b + " /dev/xvdg", a + " /dev/xvdf"}, nil, ""},
		"by name":                {three, attached, answers(nil), nil, []string{"/dev/sdg", "/dev/xvdf"}, []string{b + " /dev/xvdg", a + " /dev/xvdf"}, nil, ""},
		"nobody asked, by id":    {three, nil, nil, []string{a}, nil, nil, []string{a}, "/dev/xvda does not say which volume it is, as no disk does on Xen, and EC2 was not asked yet"},
		"nobody asked, by name":  {three, nil, nil, nil, []string{"/dev/sdf"}, []string{"xvdf /dev/xvdf"}, nil, "EC2 was not asked yet"},
		"EC2 denied":             {three, refuses(denied), answers(nil), []string{a}, nil, nil, []string{a}, "and EC2 denied DescribeVolumes (UnauthorizedOperation)"},
		"EC2 has it elsewhere":   {three, answers(nil), answers(nil), nil, []string{"/dev/sdf"}, []string{"xvdf /dev/xvdf"}, nil, "EC2 has nothing attached under its name"},
		"the kernel is late":     {map[string]string{"xvda": "1"}, answers(map[string]string{"/dev/xvda": b, "/dev/sdf": a}), answers(nil), []string{a}, nil, nil, []string{a}, ""},
		"instance storage":       {three, attached, answers(map[string]string{"sdg": "ephemeral0"}), nil, []string{"/dev/sdf", "/dev/sdg"}, []string{a + " /dev/xvdf"}, []string{"/dev/sdg"}, ""},
		"a kernel without seqs":  {map[string]string{"xvdf": "0"}, attached, answers(nil), []string{a}, nil, nil, []string{a}, "older than 5.15"},
		"no metadata, no reason": {three, attached, refuses(errors.New("no answer from IMDS")), []string{a}, nil, []string{a + " /dev/xvdf"}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := xenSysfs(t, tt.seqs)
			if tt.attached != nil {
				h.Learn(t.Context(), tt.attached, tt.stores)
			}
			c, err := h.Choose(tt.ids, tt.names)
			var found []string
			for _, d := range c.Devices {
				found = append(found, d.VolumeID+" "+d.Path)
			}
			if err != nil || c.Conflict != nil || !slices.Equal(found, tt.found) || !slices.Equal(c.Missing, tt.missing) || c.Xen != (tt.nameless != "") {
				t.Errorf("Choose() = %+v, %v", c, err)
			}
			if tt.nameless != "" {
				wantError(t, c.Nameless, tt.nameless)
			}
		})
	}
}

// TestXenForgets: what EC2 said of a disk holds for that disk, not for what takes
// its name.
func TestXenForgets(t *testing.T) {
	const a = "vol-0000000000000000a"
	h := xenSysfs(t, map[string]string{"xvdf": "7", "xvdb": "3"})
	h.Learn(t.Context(), answers(map[string]string{"/dev/sdf": a}), answers(map[string]string{"sdb": "ephemeral0"}))
	c, err := h.Choose([]string{a}, nil)
	if err != nil || len(c.Devices) != 1 {
		t.Fatalf("Choose() = %+v, %v", c, err)
	}
	must(t, h.Recheck(c.Devices[0]))
	if volumes, err := h.Devices(); err != nil || len(volumes) != 1 || volumes[0].VolumeID != a {
		t.Errorf("Devices() = %+v, %v", volumes, err)
	}
	if stores, err := h.InstanceStore(); err != nil || len(stores) != 1 || stores[0].VolumeID != "ephemeral0" || stores[0].Path != "/dev/xvdb" {
		t.Errorf("InstanceStore() = %+v, %v", stores, err)
	}
	later := xenSysfs(t, map[string]string{"xvdf": "9", "xvdb": "3"})
	later.Xen = h.Xen
	wantError(t, later.Recheck(c.Devices[0]), "diskseq 9")
	if c, err := later.Choose([]string{a}, nil); err != nil || len(c.Devices) != 0 || !c.Xen {
		t.Errorf("Choose() of another disk = %+v, %v", c, err)
	}
	if volumes, err := later.Devices(); err != nil || len(volumes) != 0 {
		t.Errorf("Devices() has a stranger: %+v, %v", volumes, err)
	}
}

// TestXenAsksNobody: on Nitro there is nothing to learn.
func TestXenAsksNobody(t *testing.T) {
	h := sysfs(t, map[string]disk{"nvme1n1": ebsDisk("vol0a1b2c3d", "259:1", "1")})
	h.Xen = new(Xen)
	never := func(context.Context) (map[string]string, error) { t.Error("somebody was asked"); return nil, nil }
	h.Learn(t.Context(), never, never)
}

// TestXenByEC2 learns from EC2 what is attached here.
func TestXenByEC2(t *testing.T) {
	const here, other, coming = "vol-0000000000000000a", "vol-0000000000000000b", "vol-0000000000000000c"
	a := newAccount(t)
	c := a.instance("i-0a", nil)
	for id, at := range map[string]labec2.Attachment{
		here: {Instance: "i-0a", Device: "xvdf"}, other: {Instance: "i-0b", Device: "/dev/sdg"}, coming: {Instance: "i-0a", Device: "/dev/sdh", State: "attaching"},
	} {
		a.AddVolume(labec2.Volume{ID: id, Zone: zone, Size: 1, Attachments: []labec2.Attachment{at}})
	}
	h := xenSysfs(t, map[string]string{"xvdf": "7", "xvdg": "8", "xvdh": "9"})
	h.Learn(t.Context(), c.Attached, answers(nil))
	if devs, err := h.Devices(); err != nil || len(devs) != 1 || devs[0].VolumeID != here || devs[0].Name != "xvdf" {
		t.Errorf("Devices() = %+v, %v", devs, err)
	}
	a.SetFault(labec2.Fault{Denied: []string{"*"}})
	h = xenSysfs(t, map[string]string{"xvdf": "7"})
	h.Learn(t.Context(), c.Attached, answers(nil))
	got, err := h.Choose([]string{here}, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, got.Nameless, "and EC2 denied DescribeVolumes to role db-prod (UnauthorizedOperation)")
}
