package ec2

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

const zone = "eu-central-1a"

type client struct {
	*testing.T
	web *httptest.Server
	key string
}

func start(t *testing.T, h Hardware) (*Server, client) {
	s := New(h)
	t.Cleanup(s.Close)
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	s.SetInstance(Instance{ID: "i-0a", Zone: zone})
	s.AddVolume(Volume{ID: "vol-1", Zone: zone, Size: 1})
	return s, client{t, web, s.Credentials("i-0a", "db-prod").AccessKeyID}
}

// ask sends one action with "Name=value" parameters and returns the answer.
func (c client) ask(ctx context.Context, action string, params ...string) (string, error) {
	form := url.Values{"Action": {action}, "Version": {apiVersion}}
	for _, p := range params {
		name, value, _ := strings.Cut(p, "=")
		form.Set(name, value)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.web.URL, strings.NewReader(form.Encode()))
	if err != nil {
		c.Fatal(err)
	}
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+c.key+"/20261122/eu-central-1/ec2/aws4_request, SignedHeaders=host, Signature=0")
	a, err := c.web.Client().Do(r)
	if err != nil {
		return "", err
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	return string(body), err
}

func (c client) says(want, action string, params ...string) {
	c.Helper()
	got, err := c.ask(c.Context(), action, params...)
	if err != nil || !strings.Contains(got, want) {
		c.Errorf("%s %v: %q, %v\nwant %q", action, params, got, err, want)
	}
}

func TestErrors(t *testing.T) {
	_, c := start(t, nil)
	c.says("<Code>InvalidAction</Code>", "RunInstances")
	c.says("<Code>InvalidParameterValue</Code>", "DescribeVolumes", "Filter.1.Name=colour", "Filter.1.Value.1=red")
	c.says("<Code>InvalidParameterValue</Code>", "DescribeVolumes", "MaxResults=4")
	c.says("<Code>InvalidNextToken</Code>", "DescribeVolumes", "NextToken=x")
	c.says("<Code>InvalidParameterCombination</Code>", "DescribeVolumes", "VolumeId.1=vol-1", "MaxResults=5")
	c.says("<Code>MissingParameter</Code>", "CreateVolume", "AvailabilityZone="+zone)
	c.says("<Code>MissingParameter</Code>", "AttachVolume", "VolumeId=vol-1", "InstanceId=i-0a")
	c.says("<Code>InvalidID</Code>", "CreateTags", "ResourceId.1=vol-9")
	c.key = "ASIASTRANGER"
	c.says("<Code>AuthFailure</Code>", "DescribeVolumes")
}

func TestFaults(t *testing.T) {
	s, c := start(t, nil)
	for name, f := range map[string]Fault{"silent": {Silent: true}, "slow": {Delay: time.Hour}} {
		s.SetFault(f)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if _, err := c.ask(ctx, "DescribeVolumes"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
	s.SetFault(Fault{Refuse: true})
	if _, err := c.ask(t.Context(), "DescribeVolumes"); !errors.Is(err, io.EOF) {
		t.Errorf("refuse: %v", err)
	}
	s.SetFault(Fault{Throttle: []string{"AttachVolume"}})
	c.says("<volumeId>vol-1</volumeId>", "DescribeVolumes")
	c.says("<Code>RequestLimitExceeded</Code>", "AttachVolume")
	s.SetFault(Fault{Denied: []string{"*"}})
	c.says("assumed-role/db-prod/i-0a is not authorized to perform: ec2:DescribeVolumes", "DescribeVolumes")
	last := s.Requests()[len(s.Requests())-1]
	if last.Action != "DescribeVolumes" || last.Caller != "i-0a" || last.Code != "UnauthorizedOperation" {
		t.Errorf("noted %+v", last)
	}
}

// stubborn is hardware that fails at all it is asked for.
type stubborn struct{}

func (stubborn) Attach(context.Context, string, string, string) error { return errors.New("no port") }
func (stubborn) Detach(context.Context, string, string) error         { return errors.New("in use") }
func (stubborn) Create(context.Context, string, string, int) error    { return errors.New("no space") }

func TestHardwareFails(t *testing.T) {
	s, c := start(t, stubborn{})
	c.says("<status>attaching</status>", "AttachVolume", "VolumeId=vol-1", "InstanceId=i-0a", "Device=/dev/sdf")
	s.working.Wait()
	c.says("<status>available</status>", "DescribeVolumes")
	s.Attached("vol-1", "i-0a", "/dev/sdf")
	c.says("<status>detaching</status>", "DetachVolume", "VolumeId=vol-1")
	s.working.Wait()
	c.says("<status>attached</status>", "DescribeVolumes")
	c.says("<status>creating</status>", "CreateVolume", "AvailabilityZone="+zone, "Size=1", "TagSpecification.1.ResourceType=volume", "TagSpecification.1.Tag.1.Key=a", "TagSpecification.1.Tag.1.Value=b")
	s.working.Wait()
	c.says("<volumeSet></volumeSet>", "DescribeVolumes", "Filter.1.Name=tag-key", "Filter.1.Value.1=a")
	s.SetInstance(Instance{ID: "i-0a", Zone: zone, State: "terminated"})
	c.says("<status>available</status>", "DescribeVolumes")
}
