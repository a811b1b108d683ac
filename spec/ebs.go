package spec

import (
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

var deviceName = lazily(`^/dev/(sd[a-z]([1-9]|1[0-5])?|xvd[a-z]{1,2})$`)

const (
	// maxDevices bounds the devices of one volume. A Nitro instance takes about
	// 27 in all; 16 is far beyond what a RAID0 of EBS volumes gains from.
	maxDevices = 16
	// maxTags bounds the tags of one selection; EC2 takes 50 on a volume.
	maxTags = 50
	// maxTagKey and maxTagValue are EC2's limits, in characters.
	maxTagKey   = 128
	maxTagValue = 256
)

// selections are the keys of ebs that say which devices are meant.
var selections = []string{"ids", "devices", "tags", "restore"}

// ebs reads which devices a volume is made of.
func (r *reader) ebs(n *yaml.Node, path string) (e EBS) {
	r.mapping(n, path, fields{
		"ids": func(n *yaml.Node, path string) {
			e.IDs = r.devices(n, path, volumeID, "vol- and 17 hexadecimal digits", "is not a volume id")
		},
		"devices": func(n *yaml.Node, path string) {
			e.Devices = r.devices(n, path, deviceName, "as in the launch template: /dev/sdf or /dev/xvdf", "is not a device name of EC2")
		},
		"tags":  func(n *yaml.Node, path string) { e.Tags = r.tags(n, path) },
		"count": func(n *yaml.Node, path string) { e.Count = r.volumeCount(n, path) },
		"restore": func(n *yaml.Node, path string) {
			set, ok := r.text(n, path)
			if ok && !isTagValue(set) {
				r.fault(n, path, "the value of the snapshots' tag bootswain:set", "%s cannot be a snapshot set", show(set))
			}
			e.Restore = set
		},
	})
	if n.Kind != yaml.MappingNode {
		return e
	}
	first := ""
	for _, key := range keysOf(n) {
		switch {
		case !slices.Contains(selections, key):
		case first == "":
			first = key
		default:
			r.fault(valueOf(n, key), step(path, key), "keep one of them", "contradicts %s", first)
		}
	}
	if first == "" {
		r.fault(n, path, "ids: [vol-…] or devices: [/dev/sdf]", "names no devices")
	}
	if hasKey(n, "tags") {
		r.required(n, path, "count", "how many volumes carry the tags")
	} else if count := valueOf(n, "count"); count != nil {
		r.fault(count, step(path, "count"), "leave it out", "is for tags")
	}
	return e
}

func (r *reader) devices(n *yaml.Node, path string, rule *pattern, hint, fault string) []string {
	names, ok := r.texts(n, path, "")
	if !ok {
		return nil
	}
	if len(names) < 1 || len(names) > maxDevices {
		r.fault(n, path, "", "names %d devices; a volume has 1 to %d", len(names), maxDevices)
	}
	for i, name := range names {
		switch {
		case name == "/dev/sda1" || name == "/dev/xvda" || name == "/dev/sda":
			r.fault(n.Content[i], at(path, i), "", "%s is the root disk", show(name))
		case !rule.MatchString(name):
			r.fault(n.Content[i], at(path, i), hint, "%s %s", show(name), fault)
		case slices.Contains(names[:i], name):
			r.fault(n.Content[i], at(path, i), "", "%s is given twice", show(name))
		}
	}
	return names
}

// tags reads the tags by which volumes are found.
func (r *reader) tags(n *yaml.Node, path string) map[string]string {
	tags := map[string]string{}
	for key, pair := range r.pairs(n, path) {
		where := step(path, key)
		if !isTagValue(key) || utf8.RuneCountInString(key) > maxTagKey || strings.HasPrefix(key, "aws:") {
			r.fault(pair.key, where, "", "%s cannot be the key of a tag", show(key))
		}
		value, ok := r.text(pair.value, where)
		if ok && !isTagValue(value) {
			r.fault(pair.value, where, "", "%s cannot be the value of a tag", show(value))
		}
		tags[key] = value
	}
	if n.Kind == yaml.MappingNode && (len(tags) < 1 || len(tags) > maxTags) {
		r.fault(n, path, "as in {set: orders}", "names %d tags; 1 to %d are looked for", len(tags), maxTags)
	}
	return tags
}

// isTagValue tells whether EC2 takes the text for a tag.
func isTagValue(text string) bool {
	return text != "" && utf8.RuneCountInString(text) <= maxTagValue
}

var wholeNumber = lazily(`^[1-9][0-9]?$`)

// volumeCount reads how many volumes carry the tags.
func (r *reader) volumeCount(n *yaml.Node, path string) (count int) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" {
		r.wrongType(n, path, "a number")
		return 0
	}
	if wholeNumber.MatchString(n.Value) && n.Decode(&count) == nil && count <= maxDevices {
		return count
	}
	r.fault(n, path, "", "is %s; a volume has 1 to %d devices", show(n.Value), maxDevices)
	return 0
}
