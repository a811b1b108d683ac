package image

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/md5"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"
)

// secrets are made up anew, so that none stands in this file.
type secrets struct{ r *rand.Rand }

const (
	alnum     = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	base64ish = alnum + "+/"
	upper     = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
)

func (s secrets) of(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[s.r.IntN(len(alphabet))]
	}
	return string(b)
}

func (s secrets) ed25519() ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, s.of(alnum, len(seed)))
	return ed25519.NewKeyFromSeed(seed)
}

func (s secrets) openssh(t *testing.T, passphrase string) string {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(s.ed25519(), "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(s.ed25519(), "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block))
}

func (s secrets) pkcs8(t *testing.T, kind string) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(s.ed25519())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: append(der, s.of(alnum, 100)...)}))
}

func (s secrets) age(t *testing.T) string {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id.String()
}

// planted is a file with one secret, and what is to be said of it.
type planted struct {
	path, content string
	line          int
	what          string
}

func plant(t *testing.T, s secrets) []planted {
	key, pw := s.of(base64ish, 39)+"a", s.of(alnum, 14)
	pkcs8 := s.pkcs8(t, "PRIVATE KEY")
	oneLine := strings.ReplaceAll(pkcs8, "\n", `\n`)
	public, err := ssh.NewPublicKey(s.ed25519().Public())
	if err != nil {
		t.Fatal(err)
	}
	authorized := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public)))
	return []planted{
		{"/etc/ssl/private/site.key", pkcs8, 1, "private key (PKCS #8)"},
		{"/etc/ssl/private/old.pem", "a certificate\n" + s.pkcs8(t, "RSA PRIVATE KEY"), 2, "private key (RSA)"},
		{"/etc/ssl/private/ec.pem", s.pkcs8(t, "EC PRIVATE KEY"), 1, "private key (EC)"},
		{"/etc/ssl/private/kept.pem", s.pkcs8(t, "ENCRYPTED PRIVATE KEY"), 1, "private key, under a passphrase"},
		{"/root/.ssh/id_ed25519", s.openssh(t, ""), 1, "private key (OpenSSH)"},
		{"/home/ops/id_backup", s.openssh(t, "words"), 1, "private key (OpenSSH)"},
		{"/opt/app/deploy.sh", "#!/bin/sh\ncat >k <<E\n" + s.openssh(t, "") + "E\n", 3, "private key (OpenSSH)"},
		{"/opt/app/values.yaml", "tls:\n  key: |\n    " + strings.ReplaceAll(pkcs8, "\n", "\n    ") + "\n", 3, "private key (PKCS #8)"},
		{"/opt/app/long.json", `{"a": "` + strings.Repeat("b", 3*window) + `", "k": "` + oneLine + `"}`, 1, "private key (PKCS #8)"},
		{"/srv/release.asc", "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v2\n\n" + s.of(base64ish, 64) + "\n", 1, "private key (PGP)"},
		{"/root/me.ppk", "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n", 1, "private key (PuTTY)"},
		{"/root/notes.txt", "for the backup\n\n  " + s.age(t) + "\n", 3, "private key (age identity)"},
		{"/etc/ssh/ssh_host_ed25519_key", s.openssh(t, ""), 0, "SSH host key"},
		{"/etc/wireguard/wg0.conf", "[Interface]\nPrivateKey = " + s.of(base64ish, 43) + "=\n", 2, "private key (WireGuard)"},
		{"/root/store.p12", "\x30\x82\x00binary", 0, "key store"},

		{"/root/.aws/credentials", "[default]\naws_access_key_id = AKIA" + s.of(upper, 16) + "\naws_secret_access_key = " + key + "\n", 3, "AWS credentials"},
		{"/opt/app/settings.py", "# S3\nKEY = ('AKIA" + s.of(upper, 16) + "',\n  '" + key + "')\n", 2, "AWS credentials"},
		{"/home/ops/.bashrc", "export AWS_SECRET_ACCESS_KEY=" + key + "\n", 1, "secret in the environment"},
		{"/root/.aws/sso/cache/1.json", `{"accessToken": "` + s.of(alnum, 60) + `"}`, 1, "AWS session"},

		{"/opt/app/ci.sh", "curl -H 'Authorization: token ghp_" + s.of(alnum, 36) + "'\n", 1, "GitHub token"},
		{"/opt/app/ci2.sh", "T=github_pat_" + s.of(alnum, 22) + "_" + s.of(alnum, 59) + "\n", 1, "GitHub token"},
		{"/opt/app/gitlab.yml", "image: x\n\ntoken: glpat-" + s.of(alnum, 20) + "\n", 3, "GitLab token"},
		{"/opt/app/notify.rb", `slack "xoxb-` + s.of("0123456789", 12) + "-" + s.of(alnum, 24) + `"`, 1, "Slack token"},
		{"/opt/app/hook.txt", "https://hooks.slack.com/services/T" + s.of(upper, 8) + "/B" + s.of(upper, 8) + "/" + s.of(alnum, 24), 1, "Slack webhook"},
		{"/root/.npmrc", "//registry.npmjs.org/:_authToken=" + s.of(alnum, 36) + "\n", 1, "password of a registry"},
		{"/opt/app/npm.sh", "npm_" + s.of(alnum, 36) + "\n", 1, "npm token"},
		{"/opt/app/publish", "twine -p pypi-AgEIcHlwaS5vcmc" + s.of(alnum, 70) + "\n", 1, "PyPI token"},
		{"/root/.docker/config.json", "{\"auths\": {\"r\": {\n \"auth\": \"" + s.of(alnum, 24) + "\"}}}", 2, "password of a registry"},
		{"/home/ops/.kube/config", "users:\n- user:\n    client-key-data: " + s.of(base64ish, 80) + "\n", 3, "key of a cluster"},
		{"/root/.vault-token", "s." + s.of(alnum, 24), 0, "token of a person"},
		{"/opt/app/vault.hcl", `token = "hvs.` + s.of(alnum, 90) + `"`, 1, "Vault token"},
		{"/opt/app/sa.json", "{\n\"private_key_id\": \"" + s.of("0123456789abcdef", 40) + "\"}\n", 2, "GCP service account key"},
		{"/opt/app/azure.env.txt", "DefaultEndpointsProtocol=https;AccountKey=" + s.of(base64ish, 86) + "==;\n", 1, "Azure connection string"},
		{"/opt/app/pay.js", "stripe('sk_live_" + s.of(alnum, 24) + "')", 1, "Stripe key"},

		{"/root/.my.cnf", "[client]\nuser=root\npassword=" + pw + "\n", 3, "password of a database"},
		{"/home/ops/.pgpass", "# mine\ndb:5432:orders:app:" + pw + "\n", 2, "password of a database"},
		{"/root/.netrc", "machine git.example.org\n  login ops\n  password " + pw + "\n", 3, "password of a person"},
		{"/var/www/wp-config.php", "<?php\ndefine( 'DB_PASSWORD', '" + pw + "' );\n", 2, "password of a database"},
		{"/srv/app/.env", "DEBUG=1\nDB_PASSWORD=\"" + pw + "\"\n", 2, "secret in the environment"},
		{"/etc/systemd/system/app.service", "[Service]\nEnvironment=API_TOKEN=" + pw + "\n", 2, "secret in the environment"},
		{"/srv/app/compose.yaml", "services:\n  db:\n    environment:\n      - POSTGRES_PASSWORD=" + pw + "\n", 4, "secret in the environment"},
		{"/home/ops/.git-credentials", "https://ops:" + pw + "@git.internal\n", 1, "password of a person"},
		{"/srv/repo/.git/config", "[remote \"o\"]\n\turl = https://ops:" + pw + "@git.internal/r\n", 2, "password in an address"},
		{"/etc/NetworkManager/system-connections/w.nmconnection", "[wifi-security]\npsk=" + pw + "\n", 2, "password of a network"},
		{"/etc/wpa_supplicant/wpa_supplicant-wlan0.conf", "network={\n  psk=\"" + pw + "\"\n}\n", 2, "password of a network"},
		{"/etc/ppp/chap-secrets", "# c s p\nme * " + pw + "\n", 2, "password of a network"},
		{"/etc/nginx/.htpasswd", "ops:$apr1$" + s.of(alnum, 8) + "$" + s.of(alnum, 22) + "\n", 1, "hash of a password"},
		{"/etc/postfix/sasl_passwd", "[smtp.internal]:587 ops:" + pw + "\n", 1, "password of a mail server"},
		{"/etc/fstab", "# none\n//nas/x /x cifs user=a,password=" + pw + " 0 0\n", 2, "password of a file server"},
		{"/etc/shadow", "root:*:1:0:99999:7:::\nops:$y$j9T$" + s.of(alnum, 22) + "$" + s.of(alnum, 43) + ":1:0:99999:7:::\n", 2, "account with a password"},
		{"/etc/shadow-", "root:!:1::::::\nold::1::::::\n", 2, "account that needs no password"},

		{"/home/ops/.ssh/authorized_keys", "# laptop\nfrom=\"10.0.0.0/8\" " + authorized + "\n", 2, "SSH key that may log in"},
		{"/etc/bootswain/keys/ops", authorized + "\n", 1, "SSH key that may log in"},
		{"/root/.bash_history", "mysql -p" + pw + "\n", 0, "shell or client history"},
		{"/var/lib/cloud/instances/i-0/user-data.txt", "#cloud-config\n", 0, "user data of another launch"},
		{"/etc/machine-id", s.of("0123456789abcdef", 32) + "\n", 1, "machine-id"},
		{"/var/lib/systemd/random-seed", s.of(alnum, 512), 0, "secret of one machine"},
		{"/root/header", "LUKS\xba\xbe\x00\x02", 0, "the header of an encrypted volume"},
		{IdentityPath, "AGE-SECRET-KEY-1\n", 0, "own identity"},
	}
}

func write(t *testing.T, root, path, content string) {
	t.Helper()
	file := filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCheckFindsWhatWasPlanted(t *testing.T) {
	root, found := t.TempDir(), 0
	all := plant(t, secrets{rand.New(rand.NewPCG(1, 2))})
	for _, p := range all {
		write(t, root, p.path, p.content)
	}
	got, err := Check(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		var about []Finding
		for _, f := range got.Findings {
			if f.Path == p.path {
				about = append(about, f)
			}
		}
		if len(about) != 1 || about[0].Line != p.line || !strings.Contains(about[0].What, p.what) || about[0].Own != (p.path == IdentityPath) {
			t.Errorf("%s: found %v, want line %d, %s", p.path, about, p.line, p.what)
			continue
		}
		found++
	}
	if found != len(got.Findings) {
		t.Errorf("%d findings, want %d: %v", len(got.Findings), found, got.Findings)
	}
	t.Logf("found %d of %d planted secrets, in %d files", found, len(all), got.Files)
}

// TestCheckLeavesAlone is what looks like a secret and is none.
func TestCheckLeavesAlone(t *testing.T) {
	root := t.TempDir()
	s := secrets{rand.New(rand.NewPCG(3, 4))}
	sum := s.of("0123456789abcdef", 40)
	for path, content := range map[string]string{
		"/usr/share/doc/keys.txt":       "begins with -----BEGIN PRIVATE KEY----- and ends with -----END PRIVATE KEY-----\n",
		"/usr/share/doc/age.txt":        "AGE-SECRET-KEY-1" + strings.Repeat("Q", 58) + "\n",
		"/usr/share/doc/aws.txt":        "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n",
		"/opt/app/id-alone.txt":         "AKIA" + s.of(upper, 16) + " signed " + sum + "\n",
		"/usr/share/doc/token.txt":      "ghp_" + strings.Repeat("x", 36) + " or glpat-your_token_goes_here__\n",
		"/etc/ssl/certs/site.pem":       string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(s.of(alnum, 300))})),
		"/root/.ssh/id_ed25519.pub":     "ssh-ed25519 " + s.of(base64ish, 68) + " ops\n",
		"/root/.ssh/authorized_keys":    "# nobody\n",
		"/etc/mysql/my.cnf":             "[client]\n#password = your_password\npassword =\n",
		"/srv/app/.env":                 "DB_PASSWORD=${FROM_VAULT}\nTOKEN_TTL=3600\nDB_PASSWORD_FILE=/run/secrets/db\n",
		"/srv/app/.env.example":         "DB_PASSWORD=secret123\n",
		"/etc/default/app":              "#API_TOKEN=abcdef123\n",
		"/etc/apt/sources.list":         "deb http://user:password@mirror.internal/ stable main\n",
		"/etc/shadow":                   "root:*:19000:0:99999:7:::\ndaemon:!*:19000::::::\nops:!:19000::::::\nsys:!!:19000::::::\n",
		"/etc/gshadow":                  "root:*::\nsudo:!::ops\nadm:::\n",
		"/etc/passwd":                   "root:x:0:0:root:/root:/bin/bash\n",
		"/etc/machine-id":               "",
		"/root/.bash_history":           "",
		"/var/lib/dbus/machine-id":      "uninitialized\n",
		"/usr/lib/libcrypto.so":         "\x7fELF\x00" + s.openssh(t, ""),
		"/etc/wireguard/wg0.conf":       "[Peer]\nPublicKey = " + s.of(base64ish, 43) + "=\n",
		"/etc/redis/redis.conf":         "# requirepass foobared\n",
		"/etc/ppp/chap-secrets":         "# client server secret IP\n",
		"/etc/postfix/sasl_passwd":      "# [relay] user:password\n",
		"/home/ops/.docker/config.json": `{"auths": {}, "credsStore": "ecr-login"}`,
	} {
		write(t, root, path, content)
	}
	got, err := Check(t.Context(), root)
	if err != nil || len(got.Findings) > 0 {
		t.Errorf("found %v, %v, want nothing", got.Findings, err)
	}
}

// TestCheckIsBounded has what a search could hang in, leave the image by, or
// fill the memory with.
func TestCheckIsBounded(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	key := secrets{rand.New(rand.NewPCG(5, 6))}.openssh(t, "")
	write(t, outside, "/key", key)
	for link, to := range map[string]string{"loop": root, "key": filepath.Join(outside, "key"), "out": outside} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(root, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	big, err := os.Create(filepath.Join(root, "big.sql"))
	if err != nil {
		t.Fatal(err)
	}
	defer big.Close()
	text := bytes.Repeat([]byte("INSERT INTO t VALUES (1);\n"), 10000)
	for range MaxRead/len(text) + 2 {
		if _, err := big.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Check(t.Context(), root)
	if err != nil || len(got.Findings) > 0 || fmt.Sprint(got.Partly) != "[/big.sql]" {
		t.Errorf("found %+v, %v; want nothing, and big.sql read in part", got, err)
	}

	if _, err := Check(t.Context(), filepath.Join(root, "absent")); err == nil || !strings.Contains(err.Error(), "cannot check the image") {
		t.Errorf("an image that is not there: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Check(ended, root); !errors.Is(err, context.Canceled) {
		t.Errorf("after its context ended: %v", err)
	}
}

// TestCheckKnowsPackages leaves out what Debian ships to everybody, until it is
// changed.
func TestCheckKnowsPackages(t *testing.T) {
	root := t.TempDir()
	key := secrets{rand.New(rand.NewPCG(7, 8))}.openssh(t, "")
	for _, path := range []string{"/usr/share/t/key", "/usr/share/t/changed", "/usr/share/t/stranger", "/etc/t/key"} {
		write(t, root, path, key)
	}
	sum := fmt.Sprintf("%x", md5.Sum([]byte(key)))
	write(t, root, "/var/lib/dpkg/info/t.md5sums", sum+"  usr/share/t/key\n"+sum+"  etc/t/key\n"+strings.Repeat("0", 32)+"  usr/share/t/changed\n")
	got, err := Check(t.Context(), root)
	var paths []string
	for _, f := range got.Findings {
		paths = append(paths, f.Path)
	}
	if want := "/etc/t/key /usr/share/t/changed /usr/share/t/stranger"; err != nil || strings.Join(paths, " ") != want || got.Shipped != 1 {
		t.Errorf("found %v and %d shipped, %v; want %s and 1", paths, got.Shipped, err, want)
	}
}

func FuzzContent(f *testing.F) {
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\n" + base64.StdEncoding.EncodeToString(make([]byte, 64))))
	f.Add([]byte("AGE-SECRET-KEY-1QQQ\naws_secret_access_key="))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := newScanner()
		for _, p := range places {
			if p.re == nil {
				continue
			}
			if _, err := s.content(bytes.NewReader(b), "/f", []rule{p.rule, address}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.content(bytes.NewReader(b), "/f", contents); err != nil {
			t.Fatal(err)
		}
		for _, found := range s.findings {
			if found.Line < 0 || found.Line > bytes.Count(b, []byte("\n"))+1 || found.What == "" {
				t.Errorf("%+v", found)
			}
		}
	})
}

// TestPatterns: they are compiled when they are used, which must not be the
// first time that anybody does.
func TestPatterns(t *testing.T) {
	rules := append([]rule{address}, contents...)
	for _, p := range places {
		rules = append(rules, p.rule)
	}
	for _, r := range rules {
		if r.re != nil && r.re() == nil {
			t.Errorf("%s has no pattern", r.what)
		}
	}
	rotated()
	awsSecret()
}
