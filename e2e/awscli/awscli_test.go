// Package awscli has Amazon's own command line speak with the laboratory's EC2,
// so that what the agent is tested against is EC2's protocol and not what the
// agent makes of it.
//
// It needs the package awscli; "make test" runs it (BOOTSWAIN_E2E=1).
package awscli

import (
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"bootswain/lab/ec2"
	"bootswain/lab/imds"
)

// program is where Debian's package puts it; others of that name may be on the
// path.
const program = "/usr/bin/aws"

const zone = "eu-central-1a"

type cli struct {
	*testing.T
	env []string
}

// run runs one command of "aws ec2" and returns what it printed.
func (c cli) run(args ...string) (string, error) {
	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append([]string{"ec2", "--output", "text", "--no-cli-pager"}, args...)...)
	cmd.Env = c.env
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(errs.String()))
	}
	return strings.Join(strings.Fields(string(out)), " "), err
}

// TestCommandLine goes through all that the laboratory's EC2 answers, with
// credentials from the laboratory's metadata service.
func TestCommandLine(t *testing.T) {
	if os.Getenv("BOOTSWAIN_E2E") == "" {
		t.Skip("run by make test (BOOTSWAIN_E2E=1)")
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("this distribution has no package awscli; scripts/setup installs it where there is one")
	}
	s := ec2.New(nil)
	s.SetInstance(ec2.Instance{ID: "i-0a", Zone: zone})
	s.SetInstance(ec2.Instance{ID: "i-0b", Zone: zone, State: "shutting-down"})
	for i := range 7 {
		s.AddVolume(ec2.Volume{ID: fmt.Sprintf("vol-%d", i), Zone: zone, Size: 4, Tags: map[string]string{"set": "orders", "no": fmt.Sprint(i)}})
	}
	s.AddVolume(ec2.Volume{ID: "vol-b", Zone: "eu-central-1b", Size: 4})
	s.AddSnapshot(ec2.Snapshot{ID: "snap-1", Volume: "vol-0", Size: 4, Tags: map[string]string{"set": "orders/1"}})
	metadata := imds.New(imds.Instance{ID: "i-0a", Region: "eu-central-1", Zone: zone})
	metadata.SetRole("db-prod", s.Credentials("i-0a", "db-prod").JSON())
	api, service := httptest.NewServer(s), httptest.NewServer(metadata)
	t.Cleanup(api.Close)
	t.Cleanup(service.Close)
	c := cli{t, []string{
		"HOME=" + t.TempDir(), "PATH=/usr/bin:/bin", "AWS_DEFAULT_REGION=eu-central-1", "AWS_MAX_ATTEMPTS=1",
		"AWS_EC2_METADATA_SERVICE_ENDPOINT=" + service.URL + "/",
	}}
	ask := func(args ...string) (string, error) {
		return c.run(append([]string{"--endpoint-url", api.URL}, args...)...)
	}

	for _, tt := range []struct{ want, command string }{
		{"vol-3 available 4 gp3", "describe-volumes --filters Name=tag:set,Values=ord* Name=tag:no,Values=3 --query Volumes[].[VolumeId,State,Size,VolumeType]"},
		{"vol-0 vol-1 vol-2 vol-3 vol-4 vol-5 vol-6 vol-b", "describe-volumes --page-size 5 --query Volumes[].VolumeId"},
		{"vol-b", "describe-volumes --filters Name=availability-zone,Values=eu-central-1b --query Volumes[].VolumeId"},
		{"attaching /dev/sdf i-0a vol-0", "attach-volume --volume-id vol-0 --instance-id i-0a --device /dev/sdf --query [State,Device,InstanceId,VolumeId]"},
		{"in-use attaching", "describe-volumes --volume-ids vol-0 --query Volumes[].[State,Attachments[0].State]"},
		{"attached", "describe-volumes --filters Name=attachment.instance-id,Values=i-0a --query Volumes[].Attachments[].State"},
		{"VolumeInUse", "attach-volume --volume-id vol-0 --instance-id i-0a --device /dev/sdg"},
		{"InvalidParameterValue", "attach-volume --volume-id vol-1 --instance-id i-0a --device xvdf"},
		{"IncorrectState", "attach-volume --volume-id vol-1 --instance-id i-0b --device /dev/sdf"},
		{"InvalidVolume.ZoneMismatch", "attach-volume --volume-id vol-b --instance-id i-0a --device /dev/sdg"},
		{"InvalidVolume.NotFound", "describe-volumes --volume-ids vol-9"},
		{"InvalidInstanceID.NotFound", "describe-instances --instance-ids i-0c"},
		{"i-0a running i-0b shutting-down", "describe-instances --query Reservations[].Instances[].[InstanceId,State.Name]"},
		{"detaching", "detach-volume --volume-id vol-0 --query State"},
		{"detaching", "describe-volumes --volume-ids vol-0 --query Volumes[].Attachments[].State"},
		{"IncorrectState", "detach-volume --volume-id vol-0"},
		{"snap-1 completed vol-0 orders/1", "describe-snapshots --filters Name=tag:set,Values=orders/1 --query Snapshots[].[SnapshotId,State,VolumeId,Tags[0].Value]"},
		{"InvalidSnapshot.NotFound", "create-volume --availability-zone " + zone + " --snapshot-id snap-9"},
		{"creating 4 snap-1 new", "create-volume --availability-zone " + zone + " --snapshot-id snap-1 --client-token t --tag-specifications ResourceType=volume,Tags=[{Key=set,Value=new}] --query [State,Size,SnapshotId,Tags[0].Value]"},
		{"IdempotentParameterMismatch", "create-volume --availability-zone " + zone + " --size 9 --client-token t"},
		{"creating", "create-volume --availability-zone " + zone + " --snapshot-id snap-1 --client-token t --query State"},
		{"creating snap-1", "describe-volumes --filters Name=tag:set,Values=new --query Volumes[].[State,SnapshotId]"},
		{"", "create-tags --resources vol-1 snap-1 --tags Key=set,Value=tagged"},
		{"vol-1", "describe-volumes --filters Name=tag:set,Values=tagged --query Volumes[].VolumeId"},
	} {
		got, err := ask(strings.Fields(tt.command)...)
		isCode := strings.Contains(tt.want, "In") || tt.want == "VolumeInUse" || strings.HasPrefix(tt.want, "Idem")
		if isCode {
			if err == nil || !strings.Contains(err.Error(), "An error occurred ("+tt.want+")") {
				t.Errorf("%s: %q, %v\nwant the error %s", tt.command, got, err, tt.want)
			}
		} else if err != nil || got != tt.want {
			t.Errorf("%s: %q, %v\nwant %q", tt.command, got, err, tt.want)
		}
	}
	for code, f := range map[string]ec2.Fault{
		"RequestLimitExceeded": {Throttle: []string{"*"}}, "UnauthorizedOperation": {Denied: []string{"DescribeVolumes"}},
	} {
		s.SetFault(f)
		if got, err := ask("describe-volumes"); err == nil || !strings.Contains(err.Error(), "An error occurred ("+code+")") {
			t.Errorf("%s: %q, %v", code, got, err)
		}
	}
	s.SetFault(ec2.Fault{})
	c.env = append(c.env, "AWS_ACCESS_KEY_ID=AKIAUNKNOWN", "AWS_SECRET_ACCESS_KEY=x")
	if got, err := ask("describe-volumes"); err == nil || !strings.Contains(err.Error(), "An error occurred (AuthFailure)") {
		t.Errorf("a stranger: %q, %v", got, err)
	}
}
