package spec

import (
	"maps"
	"slices"
	"strings"
)

// nonBlank is any text that says something.
var nonBlank = schema{"type": "string", "pattern": `\S`}

func matching(rule *pattern) schema { return schema{"type": "string", "pattern": rule.String()} }

func oneOf(values ...any) schema { return schema{"enum": values} }

func either(alternatives ...schema) schema { return schema{"anyOf": alternatives} }

func list(of schema) schema { return schema{"type": "array", "items": of} }

// without refuses what a pattern matches.
func (s schema) without(pattern string) schema {
	s["not"] = schema{"pattern": pattern}
	return s
}

func (s schema) with(more schema) schema {
	maps.Copy(s, more)
	return s
}

func (s schema) from(least int) schema {
	s["minItems"] = least
	return s
}

func (s schema) to(most int) schema {
	s["maxItems"] = most
	return s
}

// exactlyOne asks for one of the keys of a mapping, and for no two of them.
func exactlyOne(keys ...string) schema {
	var alternatives []schema
	for _, k := range keys {
		alternatives = append(alternatives, schema{"required": []string{k}})
	}
	return schema{"oneOf": alternatives}
}

var (
	moment       = schema{"type": "string", "pattern": `^2\d{3}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}`}
	sshKeyLine   = schema{"type": "string", "pattern": `(` + strings.ReplaceAll(strings.Join(sshKeyTypes, "|"), ".", `\.`) + `)[ \t]+\S`}
	yes          = schema{"type": "boolean"}
	durationText = schema{"type": "string", "minLength": 2, "pattern": `^(\d{1,4}w)?(\d{1,4}d)?((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))*$`}
	threshold    = either(schema{"type": "number", "exclusiveMinimum": 0}, schema{"type": "string", "pattern": `^never$|` + percentage.String()}, durationText)
	systemDirs   = `^(` + strings.Join(systemTrees, "|") + `|` + mysqlDir + `)(/|$)|^(` + strings.Join(systemPaths, "|") + `)$|/\.{0,2}(/|$)`
)

// sourceRule takes one source and no two; the volume's own key needs none.
var sourceRule = schema{"minProperties": 1, "allOf": atMostOne(sources...), "dependentRequired": schema{"sealed_to": []string{"sealed"}}}

// atMostOne refuses any two of the keys of a mapping.
func atMostOne(keys ...string) (rules []schema) {
	for i, a := range keys {
		for _, b := range keys[:i] {
			rules = append(rules, schema{"not": schema{"required": []string{a, b}}})
		}
	}
	return rules
}

// document is every key of the document, as people read about them.
var document = []Key{
	{Name: "version", Type: "`1`", Meaning: "The version of the format", Required: true, Example: "1", schema: schema{"const": 1}},
	{Name: "users", Type: "list of users", Meaning: "Who may log in. An entry with a fault gives no access; the others stand", Example: "[{name: ops}]",
		each: entry, keys: userKeys},
	{Name: "users_from", Type: "address, or mapping", Meaning: "A list of users that is kept elsewhere and may change while the machine runs: a document with `version` and `users` only. Its entries count instead of those of the same name here", Example: "ssm:/bootswain/orders-db/users",
		alone: matching(usersAddress), keys: usersFromKeys},
	{Name: "volumes", Type: "mapping of names to volumes", Meaning: "Block devices that become one mounted file system each. A name is at most 21 of `a-z`, `0-9`, `-` and `_`, beginning with a letter", Example: "{data: {ebs: {devices: [/dev/sdf]}, mount: /srv/data}}",
		each: named, keys: volumeKeys, rule: exactlyOne("ebs", "instance_store"), schema: schema{"propertyNames": schema{"pattern": volumeName.String()}}},
	{Name: "mysql", Type: "mapping", Meaning: "Which volume MariaDB or MySQL keeps its data on. Without it bootswain leaves the database alone", Example: "{volume: data}", keys: []Key{
		{Name: "volume", Type: "name of a volume", Meaning: "Its directory `mysql` is bind-mounted where the package expects the data; on EBS only", Required: true, Example: "data", schema: nonBlank},
		{Name: "binary_logs", Type: "name of a volume", Meaning: "Its directory `mysql-binary_logs` has the binary logs, which this switches on; another volume on EBS", Default: "what the image's settings say", Example: "logs", schema: nonBlank},
		{Name: "redo_log", Type: "name of a volume", Meaning: "Its directory `mysql-redo_log` has InnoDB's redo log, which belongs to the data and is brought there once; another volume on EBS", Default: "with the data", Example: "logs", schema: nonBlank},
		{Name: "tmpdir", Type: "name of a volume", Meaning: "Its directory `mysql-tmpdir` has the server's temporary files; another volume, of instance storage too", Default: "what the image's settings say", Example: "scratch", schema: nonBlank},
		{Name: "upgrade", Type: "`true` or `false`", Meaning: "Whether this image's server may open data of an earlier series, as 11.8 those of 10.11. That cannot be taken back: snapshot first", Default: "`false`", Example: "true", schema: yes},
		{Name: "isolated", Type: "`true` or `false`", Meaning: "Whether the server must not act as the one whose data these are a copy of: it gets a `server_uuid` of its own, is read-only, replicates from nobody and runs no events. From the server's next start on", Default: "`false`", Example: "true", schema: yes},
	}},
	{Name: "health", Type: "mapping", Meaning: "Where health answers are given, and what they tell of beside what bootswain looks at by itself", Example: "{listen: 0.0.0.0:8273}", keys: healthKeys},
	{Name: "imds", Type: "mapping", Meaning: "Who may reach the instance metadata service, and with it the credentials of the instance's role", Example: "{restrict: [root]}", keys: []Key{
		{Name: "restrict", Type: "list of users", Meaning: "Nobody else; `root` is among them, as whom bootswain reads its launch data", Default: "everybody", Example: "[root, backup]", schema: list(matching(userName)).with(schema{"contains": schema{"const": "root"}})},
	}},
	{Name: "env", Type: "mapping of names to text or numbers", Meaning: "Parameters for applications, written to `/run/bootswain/env` for `EnvironmentFile=`; nothing secret", Example: "{DB_HOST: db.internal, DB_PORT: 3306}",
		schema: schema{"type": "object", "propertyNames": matching(variableName), "additionalProperties": either(schema{"type": "string", "pattern": `^[^\r\n]*$`}, schema{"type": "number"})}},
	{Name: "role", Type: "text", Meaning: "The image's `/etc/bootswain/roles/NAME.yaml` stands below this document", Example: "database", schema: matching(roleName)},
	{Name: "include", Type: "address", Meaning: "A further document, read with the instance's role, stands below this one: `s3://BUCKET/KEY`, `ssm:/NAME` or `secretsmanager:NAME`", Example: "s3://orders-launch/db.yaml", schema: matching(address)},
}

var healthKeys = []Key{
	{Name: "listen", Type: "IP address and port", Meaning: "Where `/livez`, `/readyz`, `/health`, `/metrics` and the status page answer", Default: "the image's, which is loopback only", Example: "0.0.0.0:8273", schema: schema{"type": "string", "pattern": `^(\d+\.\d+\.\d+\.\d+|\[[0-9a-fA-F:.]+\]):\d{1,5}$`}},
	{Name: "web_config", Type: "absolute path", Meaning: "A file on the machine that says who may ask: TLS, client certificates, passwords, by the format of Prometheus's exporter-toolkit. Until it can be used, answers are on loopback only", Default: "the image's, which is none", Example: "/etc/bootswain/web.yml", schema: matching(plainPath)},
	{Name: "services", Type: "list of units", Meaning: "Units that have to run; health fails while one does not. `.service` may be left out", Example: "[nginx, falco.service]", schema: list(matching(unitName))},
	{Name: "certificates", Type: "list of files", Meaning: "Certificates, in PEM, whose end is watched", Example: "[/etc/ssl/app.pem]", schema: list(matching(plainPath))},
	{Name: "checks", Type: "mapping of names to checks", Meaning: "How applications are asked how they are: exactly one of `http`, `tcp`, `command` and `file`", Example: "{app: {http: 'http://127.0.0.1:8080/health'}}", each: named, keys: checkKeys,
		rule: exactlyOne(checkKinds...).with(schema{"dependentRequired": schema{"file": []string{"max_age"}, "max_age": []string{"file"}}}), schema: schema{"propertyNames": schema{"pattern": volumeName.String()}}},
	{Name: "limits", Type: "mapping of checks to limits", Meaning: "From where on a measurement warns or fails, where that is to be another than [the default](health.md#checks). A check is named by what stands before the `:PATH` or `:NAME`", Example: "{space: {warn: 90, fail: 98}, pressure:io: {warn: never}}", each: named, keys: limitKeys,
		rule: schema{"minProperties": 1}, schema: schema{"propertyNames": schema{"enum": limitNames()}}},
	{Name: "rpo", Type: "mapping of volumes to ages", Meaning: "How old the last good copy of a volume may be (recovery point objective); health fails where it is older. [Health](health.md#snapshots-and-backups) tells how that is known", Example: "{data: {snapshot: 6h, backup: 1d}}", each: named, keys: rpoKeys,
		rule: schema{"minProperties": 1}},
}

var limitKeys = []Key{
	{Name: "warn", Type: "number, duration or `never`", Meaning: "From where on it warns; in the unit of the default, which `%` may follow, and as a duration where that is a time", Default: "as it is", Example: "90%", schema: threshold},
	{Name: "fail", Type: "number, duration or `never`", Meaning: "From where on it fails; beyond `warn`", Default: "as it is", Example: "never", schema: threshold},
}

var rpoKeys = []Key{
	{Name: "snapshot", Type: "duration", Meaning: "Of EBS snapshots of all its devices", Example: "6h", schema: durationText},
	{Name: "backup", Type: "duration", Meaning: "Of backups elsewhere", Example: "1d", schema: durationText},
}

var checkKeys = []Key{
	{Name: "http", Type: "URL", Meaning: "An answer of 2xx passes; redirects are not followed", Example: "http://127.0.0.1:8080/health", schema: matching(httpURL)},
	{Name: "tcp", Type: "host and port", Meaning: "To be let in passes", Example: "127.0.0.1:5672", schema: matching(tcpPlace)},
	{Name: "command", Type: "list of text", Meaning: "A program of the image, by Nagios's convention: it exits with 0, 1 or 2 and says why in one line. It runs as nobody in particular, sees the system read-only and has no network but the machine's own", Example: "[/usr/local/bin/check-queue, orders]", schema: list(nonBlank).with(schema{"minItems": 1})},
	{Name: "file", Type: "absolute path", Meaning: "Passes while the file changed less than `max_age` ago", Example: "/var/lib/app/last-run", schema: matching(plainPath)},
	{Name: "max_age", Type: "duration", Meaning: "With `file` only, and required there", Example: "26h", schema: durationText},
	{Name: "every", Type: "duration", Meaning: "How often; at least `5s`", Default: "`30s`", Example: "1m", schema: durationText},
	{Name: "timeout", Type: "duration", Meaning: "How long an answer may take; at most `every`", Default: "`5s`", Example: "2s", schema: durationText},
}

var userKeys = []Key{
	{Name: "name", Type: "text", Meaning: "At most 32 of `a-z`, `0-9`, `-` and `_`, beginning with a letter or `_`; no account of the system", Required: true, Example: "ops", schema: matching(userName).without("^root$")},
	{Name: "gecos", Type: "text", Meaning: "The account's comment, usually the person's full name; without `:`", Default: "as it is", Example: "Olga Petrova", schema: schema{"type": "string", "pattern": `^[^:\n\r]*$`}},
	{Name: "groups", Type: "list of text, or text with commas", Meaning: "Groups beside the user's own; made if absent", Example: "[adm, docker]", schema: either(list(matching(userName)), nonBlank)},
	{Name: "shell", Type: "absolute path", Meaning: "The login shell", Default: "`/bin/bash` for a new account", Example: "/bin/zsh", schema: schema{"type": "string", "pattern": `^/[^: \t\r\n]*$`}},
	{Name: "sudo", Type: "`true`, `false`, a sudoers rule or a list of them", Meaning: "What the user may do as others. `true` is `ALL=(ALL) NOPASSWD:ALL`", Default: "`false`", Example: "true",
		schema: either(yes, schema{"type": "string", "pattern": "="}, list(schema{"type": "string", "pattern": "="}))},
	{Name: "ssh_authorized_keys", Type: "list of text or mappings", Meaning: "Lines as in authorized_keys, with options and certificate authorities. RSA takes at least 2048 bits; DSA and an option that sshd does not know are refused", Example: "[ssh-ed25519 AAAA… ops@laptop]",
		each: entry, alone: sshKeyLine, keys: sshKeyKeys},
	{Name: "expires", Type: "time, RFC 3339", Meaning: "From then on nobody logs in as this user", Default: "never", Example: "2027-01-31T00:00:00Z", schema: moment},
	{Name: "expiredate", Type: "date", Meaning: "cloud-init's way of saying `expires`: the account is closed when that day begins in UTC", Default: "never", Example: "2027-01-31", schema: schema{"type": "string", "pattern": `^2\d{3}-\d{2}-\d{2}$`}},
	{Name: "lock_passwd", Type: "`true`", Meaning: "cloud-init's key, taken because it changes nothing: nobody has a password", Example: "true", schema: schema{"const": true}},
}

var sshKeyKeys = []Key{
	{Name: "key", Type: "text", Meaning: "Such a line, in an entry that is a mapping", Required: true, Example: "ssh-ed25519 AAAA… ops@laptop", schema: sshKeyLine},
	{Name: "expires", Type: "time, RFC 3339", Meaning: "From then on sshd does not take this key", Default: "never", Example: "2027-01-31T00:00:00Z", schema: moment},
}

var usersFromKeys = []Key{
	{Name: "address", Type: "address", Meaning: "`ssm:/NAME` or `s3://BUCKET/KEY`", Required: true, Example: "s3://orders-users/db.yaml", schema: matching(usersAddress)},
	{Name: "every", Type: "duration", Meaning: "How often it is asked for; at least `30s`", Default: "`5m`", Example: "2m", schema: durationText},
	{Name: "max_stale", Type: "duration", Meaning: "For how long what was read last holds where it cannot be read again", Default: "for ever", Example: "12h", schema: durationText},
	{Name: "when_stale", Type: "`keep` or `lock`", Meaning: "What holds after `max_stale`: what was read last, or nobody gets in but with `break_glass`", Default: "`keep`", Example: "lock", schema: oneOf("keep", "lock")},
	{Name: "break_glass", Type: "text, or mapping of `key` and `expires`", Meaning: "A line as in authorized_keys that always works, as the image's default user", Example: "ssh-ed25519 AAAA… safe", alone: sshKeyLine, keys: sshKeyKeys},
	{Name: "end_sessions", Type: "`true` or `false`", Meaning: "Whether the sessions of who loses access end with it", Default: "`false`", Example: "true", schema: yes},
}

var volumeKeys = []Key{
	{Name: "ebs", Type: "mapping", Meaning: "Which EBS volumes it is made of: exactly one of `ids`, `devices`, `tags` and `restore`. More than one become a RAID0", Example: "{devices: [/dev/sdf, /dev/sdg]}", keys: ebsKeys,
		schema: exactlyOne(selections...).with(schema{"dependentRequired": schema{"tags": []string{"count"}, "count": []string{"tags"}}})},
	{Name: "instance_store", Type: "`all`, or a number from 1 to 16", Meaning: "In place of `ebs`: the machine's own disks, made anew with each boot. A number waits for that many", Example: "all",
		schema: either(oneOf("all"), schema{"type": "integer", "minimum": 1, "maximum": maxDevices})},
	{Name: "create", Type: "`if_blank`", Meaning: "A file system may be made where every byte of every device is zero", Default: "nothing is ever formatted", Example: "if_blank", schema: oneOf(string(CreateIfBlank))},
	{Name: "encryption", Type: "mapping, `none` or `ephemeral`", Meaning: "Where the key comes from. `none` is a plain volume; `ephemeral`, for `instance_store`, is a random key that only the kernel has", Default: "LUKS2 with the key that the volume itself holds, sealed", Example: "ephemeral",
		keys: encryptionKeys, rule: sourceRule, alone: oneOf(string(EncryptionNone), string(EncryptionEphemeral))},
	{Name: "filesystem", Type: "mapping", Meaning: "What is made, and how it is mounted", Example: "{type: xfs, options: [noatime]}", keys: []Key{
		{Name: "type", Type: "`xfs` or `ext4`", Meaning: "Of a new file system", Default: "`xfs`; `ext4` where there is no mkfs.xfs", Example: "xfs", schema: oneOf("xfs", "ext4")},
		{Name: "options", Type: "list of text, or text with commas", Meaning: "Mount options; not those that say when, where or by whom it is mounted", Example: "[noatime]", schema: either(list(matching(mountOption)), nonBlank)},
	}},
	{Name: "mount", Type: "absolute path", Meaning: "Where it is mounted; made if absent, and no directory of the system", Required: true, Example: "/srv/data", schema: schema{"type": "string", "maxLength": maxMountPath, "pattern": mountPath.String()}.without(systemDirs)},
	{Name: "overdue_after", Type: "duration", Meaning: "How long a missing device may take before health fails. Waiting goes on", Default: "`5m`", Example: "90s", schema: durationText},
	{Name: "required", Type: "`true` or `false`", Meaning: "Whether `bootswain-storage.target` waits for it", Default: "`true`", Example: "false", schema: yes},
	{Name: "prefill", Type: "`true` or `false`", Meaning: "Every byte of instance storage is written before the file system is made, so that later writes are fast", Default: "`false`", Example: "true", schema: yes},
	{Name: "wipe", Type: "list of releases", Meaning: "Content that may be thrown away, known by the fingerprint that the refusal printed; takes `create`", Example: "[{volume: vol-0123456789abcdef0, found: 3f9c2d}]", each: entry, keys: []Key{
		{Name: "volume", Type: "volume id, or serial number of an instance storage disk", Meaning: "Whose content it is", Required: true, Example: "vol-0123456789abcdef0", schema: either(matching(volumeID), matching(diskSerial))},
		{Name: "found", Type: "6 to 64 hexadecimal digits", Meaning: "The fingerprint; after the wipe it matches no more", Required: true, Example: "3f9c2d", schema: either(matching(fingerprint), schema{"type": "number"})},
	}},
}

var ebsKeys = []Key{
	{Name: "ids", Type: "list of volume ids", Meaning: "These volumes, 1 to 16", Example: "[vol-0123456789abcdef0]", schema: list(matching(volumeID)).from(1).to(maxDevices)},
	{Name: "devices", Type: "list of device names", Meaning: "Those that the launch template attaches under these names, 1 to 16", Example: "[/dev/sdf, /dev/sdg]", schema: list(matching(deviceName).without(`^/dev/(sda1?|xvda)$`)).from(1).to(maxDevices)},
	{Name: "tags", Type: "mapping of text to text", Meaning: "Those in the instance's zone that carry all these tags; attached if they are free", Example: "{set: orders}",
		schema: schema{"type": "object", "minProperties": 1, "maxProperties": maxTags, "propertyNames": schema{"minLength": 1, "maxLength": maxTagKey, "not": schema{"pattern": "^aws:"}}, "additionalProperties": schema{"type": "string", "pattern": `\S`, "maxLength": maxTagValue}}},
	{Name: "count", Type: "number from 1 to 16", Meaning: "How many volumes carry the tags; with `tags` only, and required there", Example: "2", schema: schema{"type": "integer", "minimum": 1, "maximum": maxDevices}},
	{Name: "restore", Type: "text", Meaning: "New volumes, made once for an instance from the snapshots whose tag `bootswain:set` is this", Example: "orders-db/2026-11-21T03:00Z", schema: schema{"type": "string", "pattern": `\S`, "maxLength": maxTagValue}},
}

// encryptionKeys are those of one source, and what goes beside it.
var encryptionKeys = slices.Concat(sourceKeys, []Key{
	{Name: "fallback", Type: "list of sources", Meaning: "Sources that are tried, in this order, where those before them fail; each has one of the keys above", Example: "[{unlock: true}]", each: entry, keys: sourceKeys, rule: exactlyOne(sources...)},
	{Name: "recovery", Type: "age recipient, or `none`", Meaning: "To whom a second key is sealed, kept in the volume; `none` says aloud that there is to be none", Example: "age1…", schema: schema{"type": "string", "pattern": "^(age1[a-z0-9]+|none)$"}},
})

// sourceKeys say where a key comes from.
var sourceKeys = []Key{
	{Name: "sealed", Type: "text, age armor or base64", Meaning: "The key, sealed to the image, as `bootswain seal` prints it", Example: "YWdlLWVuY3J5cHRpb24…", schema: schema{"type": "string", "minLength": 1, "maxLength": maxSealed}},
	{Name: "sealed_to", Type: "list of text", Meaning: "To whom it is sealed, so that a refusal can say so; `bootswain seal` prints it", Example: "[age1…]", schema: list(nonBlank)},
	{Name: "kms", Type: "mapping", Meaning: "The key, encrypted by AWS KMS, as `bootswain key new --kms` prints it", Example: "{ciphertext: AQICAHhhYmNkZWZn, context: {set: orders-db}}", keys: []Key{
		{Name: "ciphertext", Type: "text, base64", Meaning: "What KMS made of the key", Required: true, Example: "AQICAHhhYmNkZWZn", schema: schema{"type": "string", "pattern": `^\s*[A-Za-z0-9+/\s]+={0,2}\s*$`}},
		{Name: "context", Type: "mapping of text to text", Meaning: "The encryption context that it is bound to", Required: true, Example: "{set: orders-db}", schema: schema{"type": "object", "minProperties": 1, "additionalProperties": nonBlank}},
		{Name: "key", Type: "key id, alias or ARN", Meaning: "The key of KMS that has to be used", Default: "the one that the ciphertext names", Example: "alias/orders", schema: matching(kmsKey)},
	}},
	{Name: "secretsmanager", Type: "mapping", Meaning: "The key is a secret of AWS Secrets Manager, as it is", Example: "{secret: orders-db/volume-key}", keys: []Key{
		{Name: "secret", Type: "name or ARN", Meaning: "Which secret", Required: true, Example: "orders-db/volume-key", schema: matching(secretName)},
		{Name: "version", Type: "text", Meaning: "Id of a version", Default: "the current one", Example: "EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE", schema: matching(secretVersion)},
	}},
	{Name: "ssm", Type: "mapping", Meaning: "The key is a parameter of AWS Systems Manager, as it is", Example: "{parameter: /orders-db/volume-key}", keys: []Key{
		{Name: "parameter", Type: "name or ARN, perhaps with `:VERSION`", Meaning: "Which parameter", Required: true, Example: "/orders-db/volume-key", schema: matching(parameterName)},
	}},
	{Name: "command", Type: "list of text", Meaning: "A program of the image and its arguments; it prints the key", Example: "[/usr/local/bin/volume-key, orders-db]", schema: list(schema{"type": "string"}).from(1)},
	{Name: "unlock", Type: "`true`", Meaning: "A person or an orchestrator brings the key: `bootswain unlock NAME < key`", Example: "true", schema: schema{"const": true}},
}
