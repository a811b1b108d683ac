package ebs

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// Find returns the volumes that carry all the tags: count of them, in this
// zone, in the order of their ids. Where more carry them, the set is what is
// attached to this instance if that is as many as asked for; nothing is chosen
// by chance. It changes nothing.
func (c *EC2) Find(ctx context.Context, tags map[string]string, count int) ([]Volume, error) {
	all, err := c.carrying(ctx, tags)
	if err != nil {
		return nil, err
	}
	here := slices.DeleteFunc(slices.Clone(all), func(v Volume) bool { return v.Zone != c.Zone })
	switch {
	case len(here) < count && len(all) > len(here):
		var others []string
		for _, v := range all {
			if v.Zone != c.Zone {
				others = append(others, v.ID+" is in "+v.Zone)
			}
		}
		return nil, waiting("launch in the volumes' zone, or copy them here through snapshots; asked again by itself",
			"%d of %d volumes with tags %s are in %s, where this instance is; %s", len(here), count, words(tags), c.Zone, strings.Join(others, ", "))
	case len(here) < count:
		return nil, waiting("make and tag them, or correct ebs; asked again by itself", "%d of %d volumes with tags %s exist", len(here), count, words(tags))
	case len(here) > count:
		mine := slices.DeleteFunc(slices.Clone(here), func(v Volume) bool { return v.at(c.Instance) == nil })
		if len(mine) != count {
			return nil, refused("tag exactly the volumes of one set", "%d volumes carry the tags %s, and %d are asked for: %s; nothing attached",
				len(here), words(tags), count, strings.Join(ids(here), ", "))
		}
		here = mine
	}
	return here, nil
}

// carrying returns the volumes of all zones that carry all the tags.
func (c *EC2) carrying(ctx context.Context, tags map[string]string) ([]Volume, error) {
	var filters []types.Filter
	for k, v := range tags {
		filters = append(filters, filter("tag:"+k, v))
	}
	all, err := c.volumes(ctx, filters...)
	// EC2 takes * and ? for wildcards.
	return slices.DeleteFunc(all, func(v Volume) bool { return !v.carries(tags) }), err
}

func (v Volume) carries(tags map[string]string) bool {
	for k, want := range tags {
		if have, ok := v.Tags[k]; !ok || have != want {
			return false
		}
	}
	return true
}

// words are tags as people write them, in order.
func words(tags map[string]string) string {
	var all []string
	for k, v := range tags {
		all = append(all, k+"="+v)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func ids(volumes []Volume) (ids []string) {
	for _, v := range volumes {
		ids = append(ids, v.ID)
	}
	return ids
}
