package spec

import (
	"path"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// users reads the list of users and returns the entries without any fault.
// Two entries with one name contradict each other: neither is returned.
func (r *reader) users(n *yaml.Node, path string) (users []User) {
	if !r.kind(n, path, yaml.SequenceNode) {
		return nil
	}
	named := make(map[string]int)
	for i, entry := range n.Content {
		before := len(r.faults)
		u, nameNode, where := r.user(entry, at(path, i))
		if u.Name != "" {
			if named[u.Name]++; named[u.Name] > 1 {
				r.fault(nameNode, step(where, "name"), "", "given twice")
			}
		}
		if len(r.faults) == before {
			users = append(users, u)
		}
	}
	return slices.DeleteFunc(users, func(u User) bool { return named[u.Name] > 1 })
}

// user reads one entry. The path of its faults holds the user's name once that
// is known.
func (r *reader) user(n *yaml.Node, path string) (u User, nameNode *yaml.Node, where string) {
	if n.Kind == yaml.ScalarNode && n.Value == "default" {
		r.fault(n, path, "leave this line out: the default user gets the EC2 key pair without it", "must be a mapping")
		return u, n, path
	}
	if name := valueOf(n, "name"); name != nil && userName.MatchString(name.Value) {
		path = step(path[:strings.LastIndexByte(path, '[')], name.Value)
	}
	nameNode = n
	keys := fields{
		"name": func(n *yaml.Node, path string) { nameNode, u.Name = n, r.userName(n, path) },
		"gecos": func(n *yaml.Node, path string) {
			if u.Gecos, _ = r.text(n, path); strings.ContainsAny(u.Gecos, ":\n\r") {
				r.fault(n, path, "", "must not hold a colon or a line break")
			}
		},
		"groups":              func(n *yaml.Node, path string) { u.Groups = r.groups(n, path) },
		"shell":               func(n *yaml.Node, path string) { u.Shell = r.shell(n, path) },
		"sudo":                func(n *yaml.Node, path string) { u.Sudo = r.sudo(n, path) },
		"ssh_authorized_keys": func(n *yaml.Node, path string) { u.SSHAuthorizedKeys = r.sshKeys(n, path) },
		"expires":             func(n *yaml.Node, path string) { u.Expires = r.moment(n, path) },
		"expiredate":          func(n *yaml.Node, path string) { u.Expires = r.day(n, path) },
		"lock_passwd": func(n *yaml.Node, path string) {
			if locked, ok := r.boolean(n, path); ok && !locked {
				r.fault(n, path, "people log in with SSH keys", "false is not supported by this version")
			}
		},
	}
	for _, key := range []string{"passwd", "hashed_passwd", "plain_text_passwd"} {
		keys[key] = r.unsupported("people log in with SSH keys")
	}
	for _, key := range []string{"uid", "homedir", "primary_group", "inactive", "system", "ssh_import_id"} {
		keys[key] = r.unsupported("")
	}
	r.mapping(n, path, keys)
	r.required(n, path, "name", "")
	if both := valueOf(n, "expiredate"); both != nil && hasKey(n, "expires") {
		r.fault(both, step(path, "expiredate"), "keep one of them", "contradicts expires")
	}
	return u, nameNode, path
}

// userName is useradd's rule, without upper case, which mail and sudo treat in
// different ways, and without dots, which sudo's includedir passes over.
var userName = lazily(`^[a-z_][a-z0-9_-]{0,31}$`)

const nameRule = "at most 32 of a-z, 0-9, - and _, beginning with a letter or _"

func (r *reader) userName(n *yaml.Node, path string) string {
	name, ok := r.text(n, path)
	switch {
	case !ok:
		return ""
	case name == "root":
		r.fault(n, path, "name a person and give them sudo: true", "root does not log in")
	case slices.Contains(systemAccounts, name) || strings.HasPrefix(name, "systemd-"):
		r.fault(n, path, "", "%s is an account of the system", show(name))
	case !userName.MatchString(name):
		r.fault(n, path, nameRule, "%s cannot be a user's name", show(name))
	}
	return name
}

// systemAccounts are the names that Debian, Ubuntu and Amazon Linux give to
// accounts of their own, and those of the services bootswain deals with.
var systemAccounts = []string{
	"_apt", "_chrony", "adm", "avahi", "backup", "bin", "bootswain", "chrony", "daemon", "dbus", "dnsmasq",
	"ec2-instance-connect", "ftp", "games", "gnats", "halt", "irc", "landscape", "list", "lp", "mail", "man",
	"messagebus", "mysql", "news", "nobody", "operator", "pollinate", "polkitd", "postfix", "proxy", "rpc",
	"shutdown", "ssm-user", "sshd", "sssd", "sync", "sys", "syslog", "tcpdump", "tss", "uucp", "uuidd", "www-data",
}

func (r *reader) groups(n *yaml.Node, path string) []string {
	groups, ok := r.texts(n, path, ",")
	if !ok {
		return nil
	}
	for i, g := range groups {
		if !userName.MatchString(g) {
			r.fault(item(n, i), path, nameRule, "%s cannot be a group's name", show(g))
		} else if slices.Contains(groups[:i], g) {
			r.fault(item(n, i), path, "", "%s is given twice", show(g))
		}
	}
	return groups
}

func (r *reader) shell(n *yaml.Node, where string) string {
	shell, ok := r.text(n, where)
	if ok && (!path.IsAbs(shell) || path.Clean(shell) != shell || strings.ContainsAny(shell, ": \t\r\n")) {
		r.fault(n, where, "/bin/bash", "%s is not an absolute path", show(shell))
	}
	return shell
}

// sudo reads true, false, a rule or a list of rules.
func (r *reader) sudo(n *yaml.Node, path string) []string {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool" {
		if yes, _ := r.boolean(n, path); yes {
			return []string{"ALL=(ALL) NOPASSWD:ALL"}
		}
		return nil
	}
	var rules []string
	switch {
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str":
		rules = []string{n.Value}
	case n.Kind == yaml.SequenceNode:
		rules, _ = r.texts(n, path, "")
	default:
		r.wrongType(n, path, "true, false, a sudoers rule or a list of them")
	}
	for i, rule := range rules {
		if strings.ContainsAny(rule, "\r\n") || strings.HasSuffix(rule, `\`) || !strings.Contains(rule, "=") || strings.TrimSpace(rule) != rule {
			r.fault(item(n, i), path, "true, or as in ALL=(ALL) NOPASSWD:ALL", "%s is not a sudoers rule", show(rule))
		}
	}
	return rules
}

// moment reads RFC 3339. A time of long ago is refused, since it is surely
// not meant and Go's zero time would mean "never".
func (r *reader) moment(n *yaml.Node, path string) time.Time {
	return r.time(n, path, time.RFC3339, "2027-01-31T00:00:00Z")
}

// day reads cloud-init's and useradd's YYYY-MM-DD: the account is closed when
// that day begins in UTC.
func (r *reader) day(n *yaml.Node, path string) time.Time {
	return r.time(n, path, time.DateOnly, "2027-01-31")
}

func (r *reader) time(n *yaml.Node, path, layout, example string) time.Time {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!timestamp" && n.ShortTag() != "!!str" {
		r.wrongType(n, path, "a time such as "+example)
		return time.Time{}
	}
	t, err := time.Parse(layout, n.Value)
	if err != nil || t.Year() < 2000 {
		r.fault(n, path, "as in "+example, "%s is not a time that can be meant", show(n.Value))
	}
	return t
}

// valueOf returns the value of the first such key of the mapping n, or nil.
func valueOf(n *yaml.Node, key string) *yaml.Node {
	if i := slices.Index(keysOf(n), key); i >= 0 {
		return n.Content[2*i+1]
	}
	return nil
}

// item returns the i-th entry's node if n is a list, else n.
func item(n *yaml.Node, i int) *yaml.Node {
	if n.Kind == yaml.SequenceNode {
		return n.Content[i]
	}
	return n
}
