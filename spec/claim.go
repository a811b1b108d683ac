package spec

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// claims is what the volumes read so far have taken.
type claims struct {
	taken  map[string]string // volume id, device name or what else a volume is made of → name of the volume
	mounts []Volume
}

// claim notes what v, whose mapping is n, takes from a volume above it.
func (r *reader) claim(c *claims, v Volume, n *yaml.Node, where string) {
	ebs := valueOf(n, "ebs")
	for key, names := range map[string][]string{"ids": v.EBS.IDs, "devices": v.EBS.Devices} {
		for i, name := range names {
			if owner, ok := c.taken[name]; ok && owner != v.Name {
				r.fault(valueOf(ebs, key).Content[i], at(step(step(where, "ebs"), key), i), "", "%s belongs to volume %s already", show(name), owner)
			}
			c.taken[name] = v.Name
		}
	}
	if owner, ok := c.taken["instance_store"]; ok && v.InstanceStore != 0 {
		r.fault(valueOf(n, "instance_store"), step(where, "instance_store"), "", "belongs to volume %s already", owner)
	}
	if v.InstanceStore != 0 {
		c.taken["instance_store"] = v.Name
	}
	if v.EBS.Restore != "" {
		r.claimOnce(c, v, valueOf(ebs, "restore"), step(step(where, "ebs"), "restore"), "snapshot set "+v.EBS.Restore)
	}
	if len(v.EBS.Tags) > 0 {
		r.claimOnce(c, v, valueOf(ebs, "tags"), step(step(where, "ebs"), "tags"), fmt.Sprint("the tags ", v.EBS.Tags)) // maps print in the order of their keys
	}
	if v.Mount == "" {
		return
	}
	for _, other := range c.mounts {
		switch {
		case other.Mount == v.Mount:
			r.fault(valueOf(n, "mount"), step(where, "mount"), "", "%s is where volume %s is mounted already", show(v.Mount), other.Name)
		case under(v.Mount, other.Mount) || under(other.Mount, v.Mount):
			r.fault(valueOf(n, "mount"), step(where, "mount"), "mount them beside each other", "%s and %s of volume %s lie one inside the other", show(v.Mount), other.Mount, other.Name)
		}
	}
	c.mounts = append(c.mounts, v)
}

// claimOnce notes what only one volume may be made of.
func (r *reader) claimOnce(c *claims, v Volume, n *yaml.Node, where, what string) {
	if owner, ok := c.taken[what]; ok {
		r.fault(n, where, "", "volume %s is made of the same already", owner)
	}
	c.taken[what] = v.Name
}

// under tells whether the clean path p lies below dir.
func under(p, dir string) bool { return strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/") }

// mountPath keeps to what mountinfo, unit names and shells show as it is.
var mountPath = lazily(`^/[A-Za-z0-9/._+@-]+$`)

// maxMountPath keeps the mount unit's escaped name below the 255 bytes of a
// file name, where a dash takes four.
const maxMountPath = 60

// systemTrees belong to the system with all that is below them, systemPaths
// only themselves.
var (
	systemTrees = []string{
		"/bin", "/boot", "/dev", "/efi", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/root", "/run",
		"/sbin", "/sys", "/usr/bin", "/usr/include", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec",
		"/usr/libx32", "/usr/sbin", "/usr/share", "/var/run", "/var/lock", "/var/lib/dpkg", "/var/lib/rpm",
		"/var/lib/systemd", "/var/lib/bootswain",
	}
	systemPaths = []string{"/", "/home", "/tmp", "/usr", "/usr/local", "/var", "/var/cache", "/var/lib", "/var/log", "/var/spool", "/var/tmp"}
	mysqlDir    = "/var/lib/mysql"
)

func (r *reader) mount(n *yaml.Node, where string) string {
	dir, ok := r.text(n, where)
	isSystem := func(tree string) bool { return dir == tree || under(dir, tree) }
	switch {
	case !ok:
	case !path.IsAbs(dir) || path.Clean(dir) != dir:
		r.fault(n, where, "as in /srv/data", "%s is not an absolute path in its shortest form", show(dir))
	case slices.Contains(systemPaths, dir) || slices.ContainsFunc(systemTrees, isSystem):
		r.fault(n, where, "as in /srv/data", "%s belongs to the system", show(dir))
	case isSystem(mysqlDir):
		r.fault(n, where, "mount it elsewhere and name it in mysql.volume", "%s is the database's own place", show(dir))
	case !mountPath.MatchString(dir) || len(dir) > maxMountPath:
		r.fault(n, where, "as in /srv/data", "%s is not at most %d letters, digits and . _ + @ - /", show(dir), maxMountPath)
	default:
		return dir
	}
	return ""
}
