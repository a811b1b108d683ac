package ebs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"bootswain/internal/situation"
)

// Remark is something that EC2 says of volumes before anybody launches with them.
type Remark struct {
	Text  string
	Wrong bool // an instance would not get them so
}

// Review says what stands between an instance and the volumes of a stanza, which
// names them by one of the three. Zone is where the instance is to be, and "" for
// any zone. It changes nothing.
func (c *EC2) Review(ctx context.Context, ids []string, tags map[string]string, count int, restore string) (remarks []Remark, err error) {
	wrong := func(format string, args ...any) {
		remarks = append(remarks, Remark{fmt.Sprintf(format, args...), true})
	}
	if restore != "" {
		_, err := c.snapshots(ctx, restore)
		if s := situation.Of(err); s != nil && !errors.Is(err, ErrUnanswered) {
			wrong("%s", strings.TrimSuffix(s.Text, "."))
			return remarks, nil
		}
		return nil, err
	}
	var volumes []Volume
	if len(ids) > 0 {
		volumes, err = c.Volumes(ctx, ids)
	} else {
		volumes, err = c.carrying(ctx, tags)
	}
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if !slices.ContainsFunc(volumes, func(v Volume) bool { return v.ID == id }) {
			wrong("%s: no such volume in this region and account", id)
		}
	}
	if n := len(c.inZone(volumes)); len(tags) > 0 && n != count {
		wrong("%d volumes carry the tags %s%s; %d are asked for", n, words(tags), c.of(), count)
	}
	return append(remarks, c.reviewSet(volumes)...), nil
}

// of says which zone is meant.
func (c *EC2) of() string {
	if c.Zone == "" {
		return ""
	}
	return " in " + c.Zone
}

func (c *EC2) inZone(volumes []Volume) []Volume {
	return slices.DeleteFunc(slices.Clone(volumes), func(v Volume) bool { return c.Zone != "" && v.Zone != c.Zone })
}

// reviewSet looks at volumes that are to become one.
func (c *EC2) reviewSet(volumes []Volume) (remarks []Remark) {
	zone := c.Zone
	for i, v := range volumes {
		if zone == "" {
			zone = v.Zone
		}
		if v.Zone != zone {
			remarks = append(remarks, Remark{fmt.Sprintf("%s is in %s, not in %s", v.ID, v.Zone, zone), true})
		}
		if v.MultiAttach {
			remarks = append(remarks, Remark{v.ID + " is Multi-Attach: EC2 would let two instances write to it at once", true})
		}
		if v.Size != volumes[0].Size {
			remarks = append(remarks, Remark{fmt.Sprintf("%s has %d GiB and %s %d GiB; volumes of one set are of one size", v.ID, v.Size, volumes[0].ID, volumes[0].Size), true})
		}
		if v.State != "available" && v.State != "in-use" {
			remarks = append(remarks, Remark{fmt.Sprintf("%s is %s", v.ID, v.State), v.State == "error"})
		}
		for _, a := range volumes[i].Attachments {
			remarks = append(remarks, Remark{Text: fmt.Sprintf("%s is %s at %s; another instance waits until that lets it go", v.ID, a.State, a.Instance)})
		}
	}
	return remarks
}
