package reference

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"bootswain/internal/cloud"
)

// store is a Parameter Store with one parameter. Between a look and a write
// somebody else may write, as often as meddle says.
type store struct {
	parameters
	versions []string
	meddle   int
}

func (s *store) GetParameter(_ context.Context, in *ssm.GetParameterInput, _ ...func(*ssm.Options)) (*ssm.GetParameterOutput, error) {
	n := len(s.versions)
	if _, version, ok := strings.Cut(*in.Name, ":"); ok {
		n, _ = strconv.Atoi(version)
	}
	if n == 0 {
		return nil, &types.ParameterNotFound{Message: aws.String("no.")}
	}
	return &ssm.GetParameterOutput{Parameter: &types.Parameter{Value: &s.versions[n-1], Version: int64(n)}}, nil
}

func (s *store) PutParameter(_ context.Context, in *ssm.PutParameterInput, _ ...func(*ssm.Options)) (*ssm.PutParameterOutput, error) {
	if s.meddle > 0 {
		s.meddle--
		last := ""
		if len(s.versions) > 0 {
			last = s.versions[len(s.versions)-1]
		}
		s.versions = append(s.versions, last+fmt.Sprintf("other%d ", s.meddle))
	}
	if len(s.versions) > 0 && !aws.ToBool(in.Overwrite) {
		return nil, &types.ParameterAlreadyExists{Message: aws.String("it is there.")}
	}
	s.versions = append(s.versions, *in.Value)
	return &ssm.PutParameterOutput{Version: int64(len(s.versions))}, nil
}

func (s *store) place() parameter {
	return parameter{&cloud.Account{}, s, "ssm:/users", "/users"}
}

func add(word string) func([]byte) ([]byte, error) {
	return func(have []byte) ([]byte, error) {
		if slices.Contains(strings.Fields(string(have)), word) {
			return have, nil
		}
		return append(slices.Clone(have), word+" "...), nil
	}
}

// TestEditLosesNothing: whatever others write at the same time is there in the
// end, and so is what was to be written.
func TestEditLosesNothing(t *testing.T) {
	for name, s := range map[string]*store{"new": {}, "new, and another": {meddle: 1}, "there": {versions: []string{"a "}}, "there, and another": {versions: []string{"a "}, meddle: 1}} {
		want := append([]string{"mine"}, strings.Fields(strings.Join(s.versions, ""))...)
		for i := range s.meddle {
			want = append(want, fmt.Sprintf("other%d", i))
		}
		if err := edit(t.Context(), s.place(), add("mine")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got := strings.Fields(s.versions[len(s.versions)-1])
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, s.versions, want)
		}
	}
}

func TestEditGivesUp(t *testing.T) {
	s := &store{versions: []string{"a "}, meddle: 1000}
	err := edit(t.Context(), s.place(), add("mine"))
	if err == nil || err.Error() != "cannot write ssm:/users: somebody else changed it at the same time again and again; compare its last versions, all are kept" {
		t.Errorf("got %v", err)
	}
	wrong := errors.New("not so")
	if err := edit(t.Context(), s.place(), func([]byte) ([]byte, error) { return nil, wrong }); !errors.Is(err, wrong) {
		t.Errorf("got %v", err)
	}
}

func TestGet(t *testing.T) {
	d, err := (&store{versions: []string{"a", "b"}}).place().get(t.Context())
	if err != nil || string(d.Data) != "b" || d.Version != "2" {
		t.Errorf("got %+v, %v", d, err)
	}
	_, err = (&store{}).place().get(t.Context())
	if f := cloud.Of(err); f == nil || f.Kind != cloud.NotFound {
		t.Errorf("got %v", err)
	}
}

func TestAddresses(t *testing.T) {
	a := &cloud.Account{}
	for _, address := range []string{"s3://orders-launch/users.yaml", "ssm:/bootswain/orders-db/users", "ssm:users", "secretsmanager:orders/launch"} {
		if _, err := at(a, address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"", "s3://b", "s3://Bucket/key", "ssm:", "ssm:/a b", "https://example.org/x", "users.yaml"} {
		if _, err := Get(t.Context(), a, address); err == nil || !strings.Contains(err.Error(), "is no address of a document") {
			t.Errorf("%q: %v", address, err)
		}
	}
}
