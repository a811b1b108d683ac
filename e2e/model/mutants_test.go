package model

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// mutant is a bug that somebody could make.
type mutant struct {
	name    string
	changes []change
}

// mutants are bugs in what protects data. Each must be caught.
var mutants = []mutant{
	{"a device is blank if it has no signature", []change{
		{"volume/plan.go", "return d.Content.FirstData == AllZero || s.claims(d.Claim)", "return true"}}},
	{"only the beginning is read to prove a device blank", []change{
		{"filesystem/blank.go", "for done := int64(0); done < size; {", "for done := int64(0); done < min(size, span); {"}}},
	{"what cannot be read is blank", []change{
		{"filesystem/blank.go", "return 0, fmt.Errorf(\"byte %d and on: %w\", offset+int64(n), err)", "return want, nil"}}},
	{"a step does not look whether it has the same disk", []change{
		{"volume/step.go", "func (a at) same() error {\n", "func (a at) same() error {\n\tif len(a.s.Devices) > 0 {\n\t\treturn nil\n\t}\n"}}},
	{"a claim counts whatever set it is of", []change{
		{"volume/content.go", "return c != nil && len(s.Devices) == s.Wanted && c.Set == s.Name && c.UUID == s.uuid(kindSet)", "return c != nil"}}},
	{"a header is this set's whatever its UUID", []change{
		{"volume/plan.go", "s.TokenErr != nil || s.Header.UUID != s.uuid(kindHeader)", "s.TokenErr != nil"},
		{"volume/plan.go", "if d.Content.Member.RFC() != s.uuid(kindArray) {", "if false {"}}},
	{"a ready set may be made anew", []change{
		{"volume/plan.go", "return s.Token.Intent == luks.Preparing", "return true"},
		{"volume/plan.go", "if have.complete() && have.ready() {", "if have.complete() && have.ready() && have.Mapping != nil {"}}},
	{"ready is written before the file system is on the devices", []change{
		{"volume/fsstep.go", "if err := filesystem.Sync(mapping.Path); err != nil {\n\t\treturn err\n\t}\n", ""}}},
	{"a claim is not synced", []change{
		{"volume/claim.go", "return f.Sync()", "return nil"}}},
	{"the claims go after ready is written", []change{
		{"volume/fsstep.go", "if err := m.unclaim(); err != nil || m.s.Mode != spec.EncryptionSealed {\n\t\treturn err\n\t}\n\tt := m.token\n\tt.Intent = luks.Ready\n\treturn m.setToken(ctx, t)", "t := m.token\n\tt.Intent = luks.Ready\n\tif err := m.setToken(ctx, t); err != nil || m.s.Mode != spec.EncryptionSealed {\n\t\treturn err\n\t}\n\treturn m.unclaim()"}}},
	{"the claims never go", []change{
		{"volume/fsstep.go", "if err := m.unclaim(); err != nil || m.s.Mode", "if err = nil; m.s.Mode"}}},
	{"the file system is made before the token is written", []change{
		{"volume/sequence.go", "&putToken{s.at(), token, hasRecovery(want.Encryption)}, ", ""}}},
	{"devices are not claimed", []change{
		{"volume/sequence.go", "} else if !s.claims(d.Claim) {", "} else if false {"}}},
	{"copies of a device are not noticed", []change{
		{"volume/layers.go", "case roles[m.Role] != \"\":", "case false:"}}},
	{"a part of a set will do", []change{
		{"volume/layers.go", "case m.RaidDisks != s.Wanted:", "case false:"},
		{"volume/refuse.go", "case t.Members != s.Wanted:", "case false:"}}},
	{"a release holds for whatever is there", []change{
		{"volume/plan.go", "if w.Found == d.Content.Fingerprint || s.claims(d.Claim) && d.Claim.Released == w.Found {", "if d.Content.Fingerprint != \"\" || s.claims(d.Claim) {"},
		{"volume/claimstep.go", "if now != w.found {", "if false {"}}},
	{"a missing device is not waited for", []change{
		{"volume/plan.go", "if len(have.Missing) > 0 {", "if false {"}}},
	{"one who could not read the launch data's key gets a new volume", []change{
		{"volume/luksstep.go", "if errors.Is(err, luks.ErrWrongKey) {", "if false {"}}},
}

// TestMutants plants each bug and expects that the suite finds it.
func TestMutants(t *testing.T) {
	if os.Getenv("BOOTSWAIN_E2E") == "" {
		t.Skip("set BOOTSWAIN_E2E=1 to build and walk for minutes")
	}
	sound, err := build(t)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := suite(t, sound); err != nil {
		t.Fatalf("without any bug: %v\n%s", err, out)
	}
	caught := 0
	for _, m := range mutants {
		program, err := build(t, m.changes...)
		if err != nil {
			t.Errorf("cannot plant that %s: %v", m.name, err)
			continue
		}
		if out, err := suite(t, program); err == nil {
			t.Errorf("nobody notices that %s", m.name)
		} else {
			caught++
			t.Logf("%s: %s", m.name, first(out))
		}
	}
	t.Logf("model: %d of %d mutants caught", caught, len(mutants))
}

// suite runs the tests up to the first failure.
func suite(t *testing.T, program string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "-test.failfast", "-test.short", "-test.run=^Test(Walk|CutFirstBoot|CutWipe|StepsLookAgain|FormatSparesReady|OthersUnfinished|UnreadableIsNotBlank|Life)$", "-sequences=1500", "-seed=1000001")
	cmd.Env = append(os.Environ(), "GOGC=800")
	out, err := cmd.CombinedOutput()
	if errors.As(err, new(*exec.ExitError)) || err == nil {
		return string(out), err
	}
	t.Fatal(err)
	return "", nil
}

// first is the first complaint in an output.
func first(out string) string {
	for line := range strings.Lines(out) {
		if _, said, ok := strings.Cut(line, "_test.go:"); ok {
			_, said, _ = strings.Cut(said, ": ")
			return strings.TrimSpace(said)
		}
	}
	return "it does not end well"
}
