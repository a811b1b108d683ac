package image

import (
	"path"
	"strings"
)

// place is a file that is known by its name: for what is in it (re), or for
// being there at all.
type place struct {
	names []string // as of path.Match; without a leading slash the last parts of a path
	rule
	own bool
}

// placesOf returns what is known of a path. Samples hold nothing.
func placesOf(inside string) (found []place) {
	switch path.Ext(inside) {
	case ".example", ".sample", ".template", ".dist":
		return nil
	}
	for _, p := range places {
		for _, name := range p.names {
			if named(inside, name) {
				found = append(found, p)
				break
			}
		}
	}
	return found
}

func named(inside, name string) bool {
	if !strings.HasPrefix(name, "/") {
		parts := strings.Count(name, "/") + 1
		at := len(inside)
		for ; parts > 0 && at > 0; parts-- {
			at = strings.LastIndexByte(inside[:at], '/')
		}
		inside = inside[at+1:]
	}
	if !strings.ContainsAny(name, "*?[") {
		return inside == name
	}
	ok, _ := path.Match(name, inside)
	return ok
}

// places are the files that hold what belongs to one machine, to one person or
// to nobody else, under the names that their programs give them.
var places = []place{
	{names: []string{IdentityPath}, rule: rule{what: "this image's own identity"}, own: true},
	whole("SSH host key", "/etc/ssh/ssh_host_*_key"),
	whole("shell or client history", histories...),
	whole("user data of another launch", "/var/lib/cloud/instances/*/user-data*", "/var/lib/cloud/instances/*/vendor-data*", "/var/lib/cloud/instances/*/*cloud-config.txt",
		"/var/lib/cloud/instances/*/obj.pkl", "/var/lib/cloud/seed/*/user-data", "/var/lib/cloud/seed/*/vendor-data", "/var/lib/bootswain/*", "/var/lib/bootswain/*/*"),
	whole("secret of one machine", "/var/lib/systemd/credential.secret", "/var/lib/systemd/random-seed", "/var/lib/NetworkManager/secret_key", "/etc/krb5.keytab"),
	whole("key store, which may hold a private key", "*.p12", "*.pfx", "*.jks", "*.kdbx", ".mylogin.cnf"),
	whole("private key (PGP)", ".gnupg/private-keys-v1.d/*.key", ".gnupg/secring.gpg"),
	whole("token of a person", ".vault-token", ".config/gcloud/credentials.db", ".config/gcloud/access_tokens.db"),

	line("machine-id of the machine that the image was made on", `(?m)^([0-9a-f]{32})`, "/etc/machine-id", "/var/lib/dbus/machine-id"),
	line("SSH key that may log in", `(?m)^(?:[^#\n]*\s)?((?:ssh|ecdsa|sk)-\S+\s+AAAA[A-Za-z0-9+/]{20,})`,
		".ssh/authorized_keys", ".ssh/authorized_keys2", "/etc/ssh/authorized_keys/*", "/etc/bootswain/keys/*"),
	hashed("account with a password", `(?m)^[^:\n]+:!*[^!*:\n][^:\n]{2,}:`, "/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-"),
	line("account that needs no password", `(?m)^([^:\n]+)::`, "/etc/shadow", "/etc/shadow-"),
	hashed("account with a password", `(?m)^[^:\n]+:[^x!*:\n][^:\n]+:`, "/etc/passwd", "/etc/passwd-"),
	hashed("hash of a password", `(?m)^[^#:\s]+:(?:\$[^:\s]+|\{SHA\}\S+|[./0-9A-Za-z]{13})$`, ".htpasswd", "*.htpasswd", "htpasswd"),

	line("password of a database", `(?mi)^\s*password\s*=\s*["']?([^\s"'#]+)`, "my.cnf", ".my.cnf", "/etc/mysql/*.cnf", "/etc/mysql/*/*.cnf", "/etc/my.cnf.d/*.cnf"),
	line("password of a database", `(?m)^(?:[^:#\n][^:\n]*:){4}(.+)$`, ".pgpass", "pgpass.conf"),
	line("password of a database", `define\(\s*['"]DB_PASSWORD['"]\s*,\s*['"]([^'"]+)`, "wp-config.php"),
	line("password of a database", `(?m)^\s*(?:requirepass|masterauth)\s+"?([^\s"]+)`, "redis.conf", "/etc/redis/*.conf", "valkey.conf"),
	line("password of an application", `(?mi)^\s*[\w.-]*password\s*[=:]\s*["']?([^\s"'#]+)`, "application*.properties", "application*.yml", "application*.yaml", "database.yml"),
	line("password of an application", `\bpassword="([^"]+)"`, "tomcat-users.xml"),
	line("password of a person", `(?i)\bpassword\s+(\S+)`, ".netrc", "_netrc", "/etc/apt/auth.conf", "/etc/apt/auth.conf.d/*", ".msmtprc", "/etc/msmtprc"),
	line("password of a person", `://[^:@/\s]*:([^@/\s]+)@`, ".git-credentials", ".config/git/credentials"),
	line("password of a network", `(?m)^(?:psk|password|wep-key[0-3]|leap-password|private-key-password|preshared-key|secret)=(\S.*)$`, "/etc/NetworkManager/system-connections/*"),
	line("password of a network", `(?m)^\s*(?:psk|password|sae_password|private_key_passwd|wep_key[0-3])\s*=\s*"?([^\s"]+)`, "wpa_supplicant*.conf", "/etc/wpa_supplicant/*.conf"),
	line("password of a network", `(?m)^[^#\s]\S*[ \t]+\S+[ \t]+"?([^\s"]+)`, "chap-secrets", "pap-secrets"),
	line("password of a network", `(?m)^[^#\n]*:\s*(?:PSK|XAUTH|EAP)\s+"?([^\s"]+)`, "ipsec.secrets", "/etc/ipsec.d/*.secrets"),
	line("private key (WireGuard)", `(?m)^\s*(?:PrivateKey|PresharedKey|private-key)\s*=\s*([A-Za-z0-9+/]{43}=)`, "/etc/wireguard/*.conf", "/etc/systemd/network/*.netdev", "/etc/NetworkManager/system-connections/*"),
	line("password of a file server", `(?mi)^[^#\n]*[\s,]pass(?:word)?=([^,\s]+)`, "/etc/fstab"),
	line("password of a file server", `(?mi)^\s*password\s*=\s*(\S+)`, ".smbcredentials", "*.smbcredentials", "/etc/samba/credentials*"),
	line("password of a mail server", `(?m)^[^#\s]\S*\s+[^:\s]+:(\S+)`, "sasl_passwd"),
	line("password of a mail server", `(?m)^[^#\s:]+:[^:\n]+:(\S+)`, "/etc/exim4/passwd.client"),

	line("AWS session", `"(?:accessToken|refreshToken|SecretAccessKey)"\s*:\s*"([^"]{20,})`, ".aws/sso/cache/*.json", ".aws/cli/cache/*.json"),
	line("Azure session", `"(?:secret|accessToken|refreshToken)"\s*:\s*"([^"]{20,})`, ".azure/*.json"),
	line("Google Cloud session", `"(?:refresh_token|client_secret)"\s*:\s*"([^"]{10,})`, ".config/gcloud/application_default_credentials.json", ".config/gcloud/legacy_credentials/*/adc.json"),
	line("password of a registry", `"(?:auth|identitytoken|password)"\s*:\s*"([^"]{4,})"`, ".docker/config.json", ".dockercfg", "containers/auth.json", "/var/lib/kubelet/config.json"),
	line("password of a registry", `(?m)(?:_authToken|_auth|_password|:password)\s*=\s*["']?([^\s"']+)`, ".npmrc", "npmrc"),
	line("password of a registry", `(?mi)^\s*password\s*[=:]\s*(\S+)`, ".pypirc"),
	line("key of a cluster", `(?m)^\s*(?:-\s*)?(?:client-key-data|token|password)\s*:\s*["']?([^\s"']{4,})`, ".kube/config", "*.kubeconfig", "kubeconfig", "/etc/kubernetes/*.conf"),
	line("token of a service", `"token"\s*:\s*"([^"]{10,})"`, ".terraform.d/credentials.tfrc.json"),
	line("token of a service", `(?m)^\s*(?:oauth_token|secret_key|secret_access_key|client_secret|pass|gs_secret_access_key|token)\s*[=:]\s*["']?([^\s"']{4,})`, ".config/gh/hosts.yml", ".s3cfg", ".boto", "rclone/rclone.conf", ".rclone.conf"),
	line("secret in the environment", environment, ".env", ".env.*", "*.env", "/etc/environment", "/etc/environment.d/*", "/etc/default/*", "/etc/sysconfig/*", "/etc/profile.d/*",
		"/etc/systemd/system/*.service", "/etc/systemd/system/*/*.conf", ".profile", ".bashrc", ".bash_profile", ".zshrc", "compose*.y*ml", "docker-compose*.y*ml"),
}

// environment is a variable that is called a secret, as shells, systemd and
// compose files set it.
const environment = `(?m)^\s*(?:-\s*|export\s+|Environment=["']?)?["']?[A-Z0-9_]*(?:PASSWORD|PASSWD|PASSPHRASE|_PWD|_PASS|TOKEN|API_?KEY|SECRET|SECRET_KEY(?:_BASE)?|SECRET_ACCESS_KEY|PRIVATE_KEY)[0-9]*["']?\s*[:=]\s*["']?([^\s"'#]{4,})`

// histories are what shells and clients remember of what was typed.
var histories = []string{
	".bash_history", ".sh_history", ".ash_history", ".zsh_history", ".zhistory", ".histfile", ".history", "fish/fish_history",
	".mysql_history", ".mariadb_history", ".psql_history", ".sqlite_history", ".rediscli_history", ".python_history", ".node_repl_history", ".irb_history",
	".lesshst", ".viminfo", ".wget-hsts",
}

func whole(what string, names ...string) place { return place{names: names, rule: rule{what: what}} }

func line(what, re string, names ...string) place {
	return place{names: names, rule: rule{what: what, re: pattern(re)}}
}

// hashed is a line whose secret is a hash, which looks like a variable.
func hashed(what, re string, names ...string) place {
	p := line(what, re, names...)
	p.judge = func([]byte, []int) string { return what }
	return p
}
