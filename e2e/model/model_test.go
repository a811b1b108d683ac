package model

import (
	"os"
	"os/exec"
	"testing"
)

// TestSequences walks very many random sequences.
func TestSequences(t *testing.T) {
	if os.Getenv("BOOTSWAIN_E2E") == "" {
		t.Skip("set BOOTSWAIN_E2E=1 to walk for minutes")
	}
	sequences := os.Getenv("BOOTSWAIN_SEQUENCES")
	if sequences == "" {
		sequences = "100000"
	}
	program, err := build(t)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-test.v", "-test.timeout=0", "-test.run=^Test(Walk|Cut.*)$", "-sequences="+sequences)
	cmd.Env = append(os.Environ(), "GOGC=800", "GODEBUG=memprofilerate=0") // it makes much, and keeps little
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Run(); err != nil {
		t.Error(err)
	}
}
