package image

import (
	"bytes"

	"filippo.io/age"
)

// contents are the rules for every text. Formats are those that their services
// document, or that their tools write.
var contents = []rule{
	{what: "private key", keys: []string{"PRIVATE KEY"}, judge: privateKey,
		// Between the first line and the key itself stand line breaks, also as JSON
		// and shell write them, indentation, and header lines.
		re: pattern(`-----BEGIN ((?:[A-Z0-9]{1,12} ){0,3})PRIVATE KEY( BLOCK)?-----((?:\\[nr]|[\s"'+,|>#*\\]|[A-Za-z-]{3,20}: [^\n\\]{0,200})*)[A-Za-z0-9+/=]{40}`)},
	{keys: []string{"PuTTY-User-Key-File-"}, what: "private key (PuTTY)",
		re: pattern(`PuTTY-User-Key-File-[23]: \S+\s+Encryption: `)},
	{keys: []string{"AGE-SECRET-KEY-"}, judge: ageIdentity,
		re: pattern(`AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{50,200}`)},
	{keys: []string{"aws_secret", "AWS_SECRET", "ecretAccessKey", "SECRETACCESSKEY"}, what: awsWhat, re: awsNamed},
	{keys: []string{"AKIA", "ASIA"}, judge: awsPair,
		re: pattern(`\b(?:AKIA|ASIA)[A-Z2-7]{16}\b`)},

	token("GitHub token", `\bgh[pousr]_[A-Za-z0-9]{36,255}\b`, "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
	token("GitHub token", `\bgithub_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}\b`, "github_pat_"),
	token("GitLab token", `\bgl(?:pat|oas|dt|rt|cbt|ptt|ft|imt|agent|soat|ffct)-[A-Za-z0-9_-]{20,300}`, "glpat-", "gloas-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glimt-", "glagent-", "glsoat-", "glffct-"),
	token("Slack token", `\bxox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{20,300}`, "xox"),
	token("Slack token", `\bxapp-[0-9]-[A-Z0-9]+-[0-9]+-[a-z0-9]{20,100}`, "xapp-"),
	token("Slack webhook", `\bhooks\.slack\.com/(?:services|workflows)/T[A-Z0-9]+/[A-Z0-9]+/[A-Za-z0-9]{20,}`, "hooks.slack.com"),
	token("npm token", `\bnpm_[A-Za-z0-9]{36}\b`, "npm_"),
	token("PyPI token", `\bpypi-AgE[A-Za-z0-9_-]{50,1000}`, "pypi-AgE"),
	token("Docker Hub token", `\bdckr_[po]at_[A-Za-z0-9_-]{27,64}`, "dckr_"),
	token("Vault token", `\bhv[sbr]\.[A-Za-z0-9_-]{24,300}`, "hvs.", "hvb.", "hvr."),
	token("Google API key", `\bAIza[A-Za-z0-9_-]{35}\b`, "AIza"),
	{keys: []string{"private_key_id"}, what: "GCP service account key",
		re: pattern(`"private_key_id"\s*:\s*"([0-9a-f]{40})"`)},
	{keys: []string{"AccountKey=", "SharedAccessKey="}, what: "Azure connection string",
		re: pattern(`\b(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{42,86}={1,2})`)},
	token("Stripe key", `\b[sr]k_live_[A-Za-z0-9]{20,247}\b`, "k_live_"),
	token("SendGrid key", `\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}\b`, "SG."),
	token("DigitalOcean token", `\bdo[opr]_v1_[a-f0-9]{64}\b`, "_v1_"),
	token("OpenAI key", `\bsk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,300}`, "sk-proj-", "sk-svcacct-", "sk-admin-"),
	token("Anthropic key", `\bsk-ant-[A-Za-z0-9_-]{40,300}`, "sk-ant-"),
	token("Hugging Face token", `\bhf_[A-Za-z0-9]{34}\b`, "hf_"),
	token("Tailscale key", `\btskey-[a-z]+-[A-Za-z0-9]+-[A-Za-z0-9]{20,}`, "tskey-"),
}

// address is for what people and their programs write; documentation is full of
// such addresses.
var address = rule{keys: []string{"://"},
	re: pattern(`\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s:@/?#"'<>]{0,64}:([^\s:@/"'<>]{3,200})@[A-Za-z0-9\[]`),
	judge: func(text []byte, m []int) string {
		password := text[m[2]:m[3]]
		switch string(bytes.ToLower(password)) {
		case "pass", "password", "passwd", "pwd", "secret":
			return ""
		}
		if stands(password) {
			return ""
		}
		return "password in an address"
	}}

func token(what, re string, keys ...string) rule {
	return rule{keys: keys, re: pattern(re), judge: varied(what)}
}

// privateKey says of which kind a key is, and whether a passphrase protects it.
func privateKey(text []byte, m []int) string {
	kind := string(bytes.TrimSpace(text[m[2]:m[3]]))
	between := text[m[6]:m[7]]
	switch {
	case kind == "ENCRYPTED" || bytes.Contains(between, []byte("ENCRYPTED")):
		return "private key, under a passphrase"
	case kind == "":
		return "private key (PKCS #8)"
	case kind == "OPENSSH":
		return "private key (OpenSSH)"
	}
	return "private key (" + kind + ")"
}

// ageIdentity believes only what age itself would take.
func ageIdentity(text []byte, m []int) string {
	if _, err := age.ParseIdentities(bytes.NewReader(text[m[0]:m[1]])); err != nil {
		return ""
	}
	return "private key (age identity)"
}

const (
	awsWhat = "AWS credentials"
	nearby  = 400 // bytes between a key's id and the key itself
)

var (
	awsNamed  = pattern(`(?i)(?:aws_secret_access_key|aws_secret_key|secretaccesskey)["']?\s*[=:]\s*["']?([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|$)`)
	awsSecret = pattern(`(?:^|[^A-Za-z0-9/+])([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|$)`)
)

// awsPair looks for the key that belongs to a key's id; the id alone opens
// nothing. A key that is called one is awsNamed's.
func awsPair(text []byte, m []int) string {
	around := text[max(0, m[0]-nearby):min(len(text), m[1]+nearby)]
	if bytes.Contains(text[m[0]:m[1]], []byte("EXAMPLE")) || awsNamed().Match(around) {
		return ""
	}
	for _, s := range awsSecret().FindAllSubmatch(around, -1) {
		if mixed(s[1]) && !stands(s[1]) {
			return awsWhat
		}
	}
	return ""
}
