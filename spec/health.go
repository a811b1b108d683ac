package spec

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Health is where health answers are given, and what is looked at beside what
// bootswain looks at by itself.
type Health struct {
	Listen       string        // host:port; "" means the image's default, loopback only
	WebConfig    string        // file of the image by exporter-toolkit's format; "" means the image's default
	Services     []string      // units that have to run, "nginx.service"
	Certificates []string      // files of certificates whose end is watched
	Checks       []HealthCheck // in document order
	Limits       []Limit       // those that differ from the default ones
	RPO          []RPO         // in document order
}

// RPO is how much of a volume's latest data may be lost (recovery point
// objective): how old its last good copy may be. One of the two is given at
// least.
type RPO struct {
	Volume   string
	Snapshot time.Duration // 0: none is asked for
	Backup   time.Duration
}

// HealthCheck asks an application how it is. Exactly one of HTTP, TCP, Command
// and File is given.
type HealthCheck struct {
	Name    string
	HTTP    string        // URL; an answer of 2xx passes
	TCP     string        // host:port; to be let in passes
	Command []string      // program of the image and its arguments, by Nagios's convention
	File    string        // passes while it changed less than MaxAge ago
	MaxAge  time.Duration // of File
	Every   time.Duration // how often; default DefaultCheckEvery
	Timeout time.Duration // of one answer; default DefaultCheckTimeout
}

// How often an application is asked, and how long it may take, where the
// document says nothing; and how often it may be asked at most.
const (
	DefaultCheckEvery   = 30 * time.Second
	DefaultCheckTimeout = 5 * time.Second
	minCheckEvery       = 5 * time.Second
)

// checkKinds are the keys that say how an application is asked.
var checkKinds = []string{"http", "tcp", "command", "file"}

var (
	unitName  = lazily(`^[A-Za-z0-9:_.@-]{1,200}$`)
	httpURL   = lazily(`^https?://[^\s/@]+(/\S*)?$`)
	tcpPlace  = lazily(`^([A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\]):\d{1,5}$`)
	plainPath = lazily(`^/[^\r\n\x00]*$`)
)

func (r *reader) health(n *yaml.Node, path string, volumes *yaml.Node) Health {
	var h Health
	r.mapping(n, path, fields{
		"listen": func(n *yaml.Node, path string) {
			listen, ok := r.text(n, path)
			if !ok {
				return
			}
			if at, err := netip.ParseAddrPort(listen); err != nil || at.Port() == 0 || at.Addr().Zone() != "" {
				r.fault(n, path, "0.0.0.0:8273 or 127.0.0.1:8273", "%s is not an IP address and port", show(listen))
				return
			}
			h.Listen = listen
		},
		"web_config": func(n *yaml.Node, path string) {
			text, ok := r.text(n, path)
			if ok && !plainPath.MatchString(text) {
				r.fault(n, path, "as in /etc/bootswain/web.yml", "%s is not the absolute path of a file", show(text))
			}
			h.WebConfig = text
		},
		"services": func(n *yaml.Node, path string) {
			for i, unit := range r.sound(n, path, unitName, "the name of a unit", "as in nginx.service") {
				if !strings.Contains(unit, ".") {
					unit += ".service"
				}
				if slices.Contains(h.Services, unit) {
					r.fault(item(n, i), path, "", "%s is given twice", show(unit))
				}
				h.Services = append(h.Services, unit)
			}
		},
		"certificates": func(n *yaml.Node, path string) {
			h.Certificates = r.sound(n, path, plainPath, "the absolute path of a file", "as in /etc/ssl/app.pem")
		},
		"checks": func(n *yaml.Node, path string) {
			for name, pair := range r.pairs(n, path) {
				where := step(path, name)
				if !volumeName.MatchString(name) {
					r.fault(pair.key, where, "at most 21 of a-z, 0-9, - and _, beginning with a letter", "cannot be a check's name")
				}
				h.Checks = append(h.Checks, r.healthCheck(name, pair.value, where))
			}
		},
		"limits": func(n *yaml.Node, path string) { h.Limits = r.limits(n, path) },
		"rpo": func(n *yaml.Node, path string) {
			for name, pair := range r.pairs(n, path) {
				where := step(path, name)
				r.lasting(pair.key, where, name, volumes)
				h.RPO = append(h.RPO, r.rpo(name, pair.value, where))
			}
		},
	})
	return h
}

func (r *reader) rpo(volume string, n *yaml.Node, path string) RPO {
	p := RPO{Volume: volume}
	r.mapping(n, path, fields{
		"snapshot": func(n *yaml.Node, path string) { p.Snapshot, _ = r.duration(n, path) },
		"backup":   func(n *yaml.Node, path string) { p.Backup, _ = r.duration(n, path) },
	})
	if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
		r.fault(n, path, "as in snapshot: 6h, backup: 1d", "says not how old which copy may be")
	}
	return p
}

// openly says whether a fault may be about who may ask: a key that is not known
// may have been meant to keep people out.
func openly(f Fault) bool {
	key, below := strings.CutPrefix(f.Path, "health.")
	if !below {
		return f.Path == "health"
	}
	name := key[:len(key)-len(strings.TrimLeft(key, "abcdefghijklmnopqrstuvwxyz_"))]
	return name == "listen" || name == "web_config" || !slices.ContainsFunc(healthKeys, func(k Key) bool { return k.Name == name })
}

// sound reads a list of texts that match a rule.
func (r *reader) sound(n *yaml.Node, path string, rule *pattern, what, hint string) []string {
	values, ok := r.texts(n, path, "")
	for i, v := range values {
		if ok && !rule.MatchString(v) {
			r.fault(item(n, i), at(path, i), hint, "%s is not %s", show(v), what)
		}
	}
	return values
}

func (r *reader) healthCheck(name string, n *yaml.Node, path string) HealthCheck {
	c := HealthCheck{Name: name, Every: DefaultCheckEvery, Timeout: DefaultCheckTimeout}
	r.mapping(n, path, fields{
		"http": func(n *yaml.Node, path string) {
			text, ok := r.text(n, path)
			if u, err := url.Parse(text); ok && (err != nil || u.Host == "" || !httpURL.MatchString(text)) {
				r.fault(n, path, "as in http://127.0.0.1:8080/health", "is not a URL of http or https, without a user in it")
			}
			c.HTTP = text
		},
		"tcp": func(n *yaml.Node, path string) {
			text, ok := r.text(n, path)
			_, port, err := net.SplitHostPort(text)
			if p, errPort := strconv.Atoi(port); ok && (err != nil || errPort != nil || p < 1 || p > 65535 || !tcpPlace.MatchString(text)) {
				r.fault(n, path, "as in 127.0.0.1:5672", "%s is not a host and port", show(text))
			}
			c.TCP = text
		},
		"command": func(n *yaml.Node, path string) { c.Command = r.command(n, path) },
		"file": func(n *yaml.Node, path string) {
			text, ok := r.text(n, path)
			if ok && !plainPath.MatchString(text) {
				r.fault(n, path, "as in /var/lib/app/last-run", "%s is not the absolute path of a file", show(text))
			}
			c.File = text
		},
		"max_age": func(n *yaml.Node, path string) { c.MaxAge, _ = r.duration(n, path) },
		"every": func(n *yaml.Node, path string) {
			var ok bool
			if c.Every, ok = r.duration(n, path); ok && c.Every < minCheckEvery {
				r.fault(n, path, minCheckEvery.String(), "%s is too often", show(n.Value))
			}
		},
		"timeout": func(n *yaml.Node, path string) { c.Timeout, _ = r.duration(n, path) },
	})
	if n.Kind != yaml.MappingNode {
		return c
	}
	var given []string
	for _, kind := range checkKinds {
		if hasKey(n, kind) {
			given = append(given, kind)
		}
	}
	switch {
	case len(given) == 0:
		r.fault(n, path, "http: http://127.0.0.1:8080/health, tcp, command or file", "says not what to ask")
	case len(given) > 1:
		r.fault(n, path, "keep one of them", "%s contradicts %s", given[1], given[0])
	}
	if hasKey(n, "file") != hasKey(n, "max_age") {
		r.fault(n, path, "as in file: /var/lib/app/last-run, max_age: 26h", "file and max_age go together")
	}
	if c.Timeout > c.Every {
		r.fault(n, path, "a timeout of at most "+c.Every.String(), "timeout is longer than every")
	}
	return c
}
