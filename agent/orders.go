package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"bootswain/internal/situation"
	"bootswain/launch"
	"bootswain/spec"
)

// orders is what this instance was told at launch, as far as it makes sense.
type orders struct {
	data    launch.Data
	spec    *spec.Spec           // never nil; without volumes when trouble is set
	trouble *situation.Situation // why the launch data cannot be followed as a whole
	err     error                // the same as *spec.Errors, for the exit code
}

// read gives launch data its meaning, on the image whose roles are here.
func read(data launch.Data) orders { return readWith(data, rolesDir) }

// readWith does it with the roles in a directory.
func readWith(data launch.Data, roles string) orders {
	o := orders{data: data, spec: &spec.Spec{}}
	if !data.Given {
		return o
	}
	layers, err := layersOf(data, roles)
	if errors.Is(err, launch.ErrNone) {
		return o
	}
	if err == nil {
		var s *spec.Spec
		if s, err = spec.ParseLayers(layers...); s != nil {
			o.spec = s
		}
	}
	switch {
	case err != nil:
		o.err, o.trouble = err, faulty(err)
	case o.spec.Include != "" && data.Included == nil:
		o.trouble = apart(o.spec.Include, errors.New("it was not asked for yet"))
		o.spec.Volumes, o.spec.MySQL, o.spec.Env = nil, nil, nil
	}
	return o
}

// faulty is the sentence for launch data that cannot be followed.
func faulty(err error) *situation.Situation {
	s := &situation.Situation{
		Word: situation.Failed, Subject: "launch data", Cause: err,
		Text: fmt.Sprintf("%v. No disk touched; sound user entries and the EC2 key pair can log in.", err),
		Next: "bootswain apply --from fixed.yaml",
	}
	if faults, ok := errors.AsType[*spec.Errors](err); ok {
		s.Subject += " " + faults.Faults[0].Place()
		s.Text = faults.Text() + ". No disk touched; sound user entries and the EC2 key pair can log in."
	}
	return s
}

// unreachable is the sentence for launch data that could not be read.
func unreachable(err error) *situation.Situation {
	return &situation.Situation{
		Word: situation.Waiting, Subject: "launch data", Cause: err,
		Text: fmt.Sprintf("could not be read: %v. No disk touched; who could log in before still can.", err),
		Next: "nothing if the metadata service is late; tried again by itself",
	}
}

// source is where this image's launch data comes from.
func (a *Agent) source() launch.Source {
	return launch.Source{File: a.config.Launch.File, NoCloud: a.config.Launch.NoCloud, Endpoint: a.config.Launch.Endpoint, IPv6: a.config.Launch.IPv6}
}

// patience says who waits for launch data.
type patience bool

const (
	forEver    patience = true  // the daemon
	notTooLong patience = false // the boot, and people
)

// launchData returns what was fetched since boot, or fetches it and keeps it for
// the other processes of this boot. failed is told of every attempt that got none.
func (a *Agent) launchData(ctx context.Context, wait patience, failed func(error)) (launch.Data, error) {
	if err := os.MkdirAll(runDir, 0o755); err != nil {
		return launch.Data{}, err
	}
	data, err := launch.Load(launchFile)
	if !errors.Is(err, fs.ErrNotExist) {
		return data, err
	}
	if data, err = launch.Await(ctx, a.source(), bool(wait), failed); err != nil {
		return launch.Data{}, err
	}
	return keep(launchFile, data)
}

// keep keeps what was fetched, or returns what another process of this boot has
// kept meanwhile: all of them follow the same.
func keep(path string, data launch.Data) (launch.Data, error) {
	if kept, err := launch.Load(path); !errors.Is(err, fs.ErrNotExist) {
		return kept, err
	}
	return data, data.Save(path)
}
