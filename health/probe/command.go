package probe

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"bootswain/health"
	"bootswain/internal/run"
)

// sandbox are the properties of the unit that a program runs in: nobody in
// particular, who sees the system read-only and can reach this machine alone.
var sandbox = []string{
	"DynamicUser=yes", "NoNewPrivileges=yes", "CapabilityBoundingSet=", "ProtectSystem=strict", "ProtectHome=yes",
	"PrivateTmp=yes", "PrivateDevices=yes", "ProtectKernelTunables=yes", "ProtectKernelModules=yes", "ProtectControlGroups=yes",
	"RestrictNamespaces=yes", "RestrictSUIDSGID=yes", "LockPersonality=yes", "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
	"IPAddressDeny=any", "IPAddressAllow=localhost", "MemoryMax=128M", "TasksMax=32", "CPUQuota=50%", "LimitFSIZE=1M", "LimitCORE=0",
	"LogLevelMax=warning", // that it was started and has ended is no news
}

// headCommand cuts a program's output, which systemd-run hands on as it comes.
const headCommand = `"$@" 2>/dev/null | head -c 65536; exit "${PIPESTATUS[0]}"`

// Command runs a program by the convention of Nagios: 0 passes, 1 warns, all else
// fails, and the first line says why. What stands after a | in it are numbers.
func Command(ctx context.Context, r run.Runner, argv []string, limit time.Duration) Answer {
	args := []string{"--quiet", "--pipe", "--wait", "--collect", "--service-type=exec", "--property=RuntimeMaxSec=" + strconv.Itoa(int(math.Ceil(limit.Seconds())))}
	for _, p := range sandbox {
		args = append(args, "--property="+p)
	}
	args = append(args, "--")
	for _, arg := range append([]string{"/bin/bash", "-c", headCommand, "check"}, argv...) {
		args = append(args, strings.ReplaceAll(arg, "$", "$$")) // systemd would put its own variables in, systemd.service(5)
	}
	out, err := r.Run(ctx, run.Cmd{Name: "systemd-run", Args: args, Timeout: limit + 5*time.Second})
	text, numbers := perfdata(line(string(out)))
	if text == "" {
		text = "said nothing"
	}
	text = strings.TrimSuffix(text, ".") + "."
	code := run.ExitCode(err)
	switch exit, _ := errors.AsType[*run.ExitError](err); {
	case exit != nil && exit.Stderr != "": // systemd-run's own; the program's is not kept
		return failed("cannot be run: " + line(exit.Stderr) + ".")
	case err == nil:
		return Answer{Status: health.Pass, Text: text, Numbers: numbers}
	case code == 1:
		return Answer{Status: health.Warn, Text: text, Numbers: numbers}
	case code >= 0:
		return Answer{Status: health.Fail, Text: fmt.Sprintf("%s (exit status %d)", text, code), Numbers: numbers}
	case errors.Is(err, context.DeadlineExceeded):
		return failed("did not end within " + limit.String() + ".")
	}
	return failed("cannot be run: " + line(err.Error()) + ".")
}

// maxNumbers bounds the numbers of one application.
const maxNumbers = 20

// perfdata takes the numbers off a line, as in "3 jobs wait | jobs=3;10;20 age=4s".
// https://nagios-plugins.org/doc/guidelines.html#AEN200
func perfdata(text string) (said string, numbers map[string]float64) {
	said, data, _ := strings.Cut(text, "|")
	for _, field := range strings.Fields(data) {
		name, value, _ := strings.Cut(field, "=")
		value, _, _ = strings.Cut(value, ";")
		value = strings.TrimRight(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ%")
		n, err := strconv.ParseFloat(value, 64)
		if err != nil || math.IsInf(n, 0) || math.IsNaN(n) || name == "" || len(numbers) == maxNumbers {
			continue
		}
		if numbers == nil {
			numbers = map[string]float64{}
		}
		numbers[strings.Trim(name, "'")] = n
	}
	return strings.TrimSpace(said), numbers
}
