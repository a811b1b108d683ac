package agent

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bootswain/launch"
	"bootswain/spec"
)

// TestInclude has the rest of a document in S3, and in a Parameter Store that
// denies it.
func TestInclude(t *testing.T) {
	asked := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.Path
		if r.Header.Get("X-Amz-Target") != "" {
			w.Header().Set("X-Amzn-Errortype", "AccessDeniedException")
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if _, err := w.Write([]byte("version: 1\nenv: {PORT: 81}\n")); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "x", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	} {
		t.Setenv(name, value)
	}
	data := given(soundUser + "include: s3://launch/db.yaml\n")
	data.Region = "eu-central-1"
	o := complete(t.Context(), data)
	if o.trouble != nil || len(o.spec.Env) != 1 || o.spec.Env[0].Value != "81" || asked != "/launch/db.yaml" || len(o.spec.Users) != 1 {
		t.Errorf("from S3: %+v, %v, asked for %s", o.spec, o.trouble, asked)
	}
	if again := complete(t.Context(), o.data); again.trouble != nil || len(again.spec.Env) != 1 {
		t.Errorf("kept: %+v, %v", again.spec, again.trouble)
	}
	data.UserData = []byte(soundUser + "include: ssm:/launch/db\n")
	o = complete(t.Context(), data)
	const want = "WAITING launch data: ssm:/launch/db could not be read: ssm.eu-central-1 denied GetParameter"
	if !o.waits() || !strings.HasPrefix(o.trouble.Error(), want) || len(o.spec.Users) != 1 || ExitCode(o.trouble) != ExitNotReady {
		t.Errorf("denied: %v, want %s", o.trouble, want)
	}
	data.UserData = []byte(soundUser + "include: ssm:/launch/db\nvolums: {}\n")
	if o = complete(t.Context(), data); o.waits() || ExitCode(o.trouble) != ExitLaunchData {
		t.Errorf("faulty as well: %v", o.trouble)
	}
	if where := included(launch.Data{}); where != "" {
		t.Errorf("nothing given includes %s", where)
	}
}

// TestIncludeIsAskedForAgain: what is included is asked for every 30 s until it is
// there, what is news is followed once, and launch data in its place ends that.
func TestIncludeIsAskedForAgain(t *testing.T) {
	waiting := func(why string) orders {
		return orders{spec: &spec.Spec{}, trouble: apart("s3://launch/db.yaml", errors.New(why))}
	}
	answers := []orders{waiting("s3 denied GetObject"), waiting("s3 denied GetObject"), waiting("s3 throttles GetObject"), {spec: &spec.Spec{}}}
	for name, c := range map[string]struct {
		replacedAt, cancelAt int // attempts; 0 is never
		tries                []time.Duration
		followed             []int // attempts
	}{
		"until it is there": {0, 0, []time.Duration{0, 30 * time.Second, time.Minute, 90 * time.Second}, []int{1, 3, 4}},
		"replaced":          {2, 0, []time.Duration{0, 30 * time.Second}, []int{1}},
		"the end":           {0, 3, []time.Duration{0, 30 * time.Second, time.Minute}, []int{1, 3}},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			began := time.Now()
			var tries []time.Duration
			var followed []int
			understand := func() orders {
				tries = append(tries, time.Since(began))
				if len(tries) == c.cancelAt {
					cancel()
				}
				return answers[len(tries)-1]
			}
			untilWhole(ctx, understand, func() bool { return len(tries) == c.replacedAt }, func(orders) { followed = append(followed, len(tries)) })
			if !slices.Equal(tries, c.tries) || !slices.Equal(followed, c.followed) {
				t.Errorf("%s: tried at %v, want %v; followed attempts %v, want %v", name, tries, c.tries, followed, c.followed)
			}
		})
	}
}
