package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"bootswain/ebs"
	"bootswain/health"
	"bootswain/internal/cloud"
	"bootswain/internal/situation"
	"bootswain/launch"
	"bootswain/secret"
	"bootswain/spec"
)

// doctorPatience bounds one question to the outside.
const doctorPatience = 20 * time.Second

// Doctor tries every access that this instance needs, changes nothing, and says
// of each whether it works and what to do if not. The error has the exit code of
// the worst.
func (a *Agent) Doctor(ctx context.Context, asJSON bool) error {
	a.lockMemory()
	m := machine{root: "/", run: a.run, path: filepath.SplitList(os.Getenv("PATH"))}
	o, found := a.examineLaunch(ctx)
	found = append(found, a.examineIdentity(o.spec))
	found = append(found, a.examineCloud(ctx, o)...)
	found = append(found, a.examineKeys(ctx, o.spec)...)
	found = append(found, examineUsers(ctx, o)...)
	found = append(found, clockWord(unix.Adjtimex(&unix.Timex{})))
	found = append(found, m.fitness(ctx, o.spec, a.config.SSH.RootLogin)...)
	if err := a.tell(found, asJSON); err != nil {
		return err
	}
	var worst error
	for _, s := range found {
		if s.Word != situation.Ready && (worst == nil || rank(codeOf(s)) < rank(ExitCode(worst))) {
			worst = toldError{fmt.Errorf("%w", s)}
		}
	}
	return worst
}

func (a *Agent) tell(found []*situation.Situation, asJSON bool) error {
	if !asJSON {
		for _, s := range found {
			a.say("%s", s.String()) // with what to do next
		}
		return nil
	}
	sentences := []health.Sentence{}
	for _, s := range found {
		sentences = append(sentences, health.SentenceOf(s))
	}
	e := json.NewEncoder(a.out)
	e.SetIndent("", "  ")
	return e.Encode(sentences)
}

// examineLaunch asks for the launch data anew. Where there is no answer, what was
// read at boot tells what this instance needs.
func (a *Agent) examineLaunch(ctx context.Context) (orders, []*situation.Situation) {
	asking, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	data, err := launch.Fetch(asking, a.source())
	if err != nil {
		kept, keptErr := launch.Load(launchFile)
		if keptErr != nil && !errors.Is(keptErr, fs.ErrNotExist) {
			err = errors.Join(err, keptErr)
		}
		return complete(ctx, kept), []*situation.Situation{unreachable(err)}
	}
	o := complete(ctx, data)
	switch {
	case o.trouble != nil:
		return o, []*situation.Situation{o.trouble}
	case !data.Given:
		return o, []*situation.Situation{fit("launch data", "%s answers; none was given.", a.source())}
	}
	return o, []*situation.Situation{fit("launch data", "%s gives %s and %s.", a.source(), count(len(o.spec.Users), "user"), count(len(o.spec.Volumes), "volume"))}
}

// examineIdentity looks for the image's own identity.
func (a *Agent) examineIdentity(want *spec.Spec) *situation.Situation {
	id, err := secret.ReadIdentity(secret.IdentityPath)
	switch s := situation.Of(err); {
	case err == nil:
		var short []string
		for _, r := range id.Recipients() {
			short = append(short, secret.ShortRecipient(r))
		}
		return fit("identity", "this image opens what is sealed to %s.", strings.Join(short, ", "))
	case errors.Is(err, fs.ErrNotExist) && !needsIdentity(want):
		return fit("identity", "this image holds none, and none is needed.")
	case s != nil:
		return unfit("identity", s.Next, "%s", s.Text)
	default:
		return unfit("identity", "", "%v.", err)
	}
}

// needsIdentity tells whether a volume's key is sealed.
func needsIdentity(want *spec.Spec) bool {
	return slices.ContainsFunc(want.Volumes, func(v spec.Volume) bool {
		return slices.ContainsFunc(v.Encryption.Sources, func(k spec.KeySource) bool { return len(k.Sealed) > 0 })
	})
}

// examineCloud asks AWS for what the volumes need of it: credentials, the
// volumes, and the right to attach them.
func (a *Agent) examineCloud(ctx context.Context, o orders) (found []*situation.Situation) {
	var asking []spec.Volume
	for _, want := range o.spec.Volumes {
		if needsEC2(want.EBS) {
			asking = append(asking, want)
		}
	}
	copies := slices.DeleteFunc(slices.Clone(o.spec.Health.RPO), func(p spec.RPO) bool { return p.Snapshot == 0 })
	if len(asking)+len(copies) == 0 {
		return nil
	}
	c := a.cloud(ctx, o.data)
	if c == nil {
		copies = nil // elsewhere the notes on the volumes count
		if len(asking) == 0 {
			return nil
		}
	}
	found = append(found, a.examineRole(ctx, o.data.Region))
	for _, want := range asking {
		found = append(found, a.examineVolume(ctx, c, want))
	}
	report, _ := health.Latest(statusFile, health.Uptime())
	for _, p := range copies {
		found = append(found, examineSnapshots(ctx, c, p.Volume, devicesOf(report, p.Volume)))
	}
	return found
}

// devicesOf are the EBS volumes that a volume is on, by the report.
func devicesOf(report *health.Report, volume string) (ids []string) {
	if report == nil {
		return nil
	}
	if v := volumeIn(report, volume); v != nil && v.Mounted {
		for _, d := range v.Devices {
			ids = append(ids, d.Volume)
		}
	}
	return ids
}

// examineSnapshots asks for the last snapshot of these EBS volumes.
func examineSnapshots(ctx context.Context, c *ebs.EC2, volume string, ids []string) *situation.Situation {
	if len(ids) == 0 {
		return unfit(volume, "bring it up, then: bootswain doctor", "it is not up, so EC2 cannot be asked for its snapshots.")
	}
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	last, err := c.LastSnapshot(ctx, ids)
	switch {
	case err != nil:
		return prevented(volume, err)
	case last.IsZero():
		return fit(volume, "EC2 shows its snapshots; there is none yet.")
	default:
		return fit(volume, "EC2 shows its snapshots, the last of %s.", last.UTC().Format(time.RFC3339))
	}
}

// prevented says what is in the way of a volume.
func prevented(volume string, err error) *situation.Situation {
	if s := situation.Of(subject(err, volume)); s != nil {
		return s
	}
	return unfit(volume, "", "%v.", err)
}

func (a *Agent) examineRole(ctx context.Context, region string) *situation.Situation {
	account, err := cloud.Open(ctx, region)
	if err == nil {
		_, err = account.Config.Credentials.Retrieve(ctx)
	}
	if err != nil {
		return unfit("role", "attach an instance profile", "no credentials: %v.", err)
	}
	return fit("role", "gives credentials.")
}

func (a *Agent) examineVolume(ctx context.Context, c *ebs.EC2, want spec.Volume) *situation.Situation {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	ids, err := a.find(ctx, c, want.EBS, false)
	if err == nil && len(ids) > 0 {
		err = c.May(ctx, ids[0])
	}
	if err == nil {
		return fit(want.Name, "EC2 shows %s, and lets this instance attach and tag them.", strings.Join(ids, ", "))
	}
	return prevented(want.Name, err)
}

// examineKeys gets every key from everywhere that the launch data names, and
// forgets it at once.
func (a *Agent) examineKeys(ctx context.Context, want *spec.Spec) (found []*situation.Situation) {
	for _, v := range want.Volumes {
		if len(v.Encryption.Sources) == 0 {
			continue // in its own header, or none
		}
		sources := secret.Sources(v.Encryption.Sealed)
		for i, said := range sources {
			s := a.examineKey(ctx, v.Name, said)
			if len(sources) > 1 {
				s.Text = fmt.Sprintf("source %d of %d: %s", i+1, len(sources), s.Text)
			}
			found = append(found, s)
		}
	}
	return found
}

func (a *Agent) examineKey(ctx context.Context, volume string, said []byte) *situation.Situation {
	key, err := a.storage.Keys.Unseal(ctx, said)
	defer key.Destroy()
	switch {
	case err == nil:
		return fit(volume, "its key can be had.")
	case errors.Is(err, secret.ErrBrought):
		return fit(volume, "its key is brought from outside; nothing to try.")
	default:
		return prevented(volume, err)
	}
}
