package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"bootswain/image"
	"bootswain/internal/situation"
	"bootswain/systemd"
	"bootswain/volume"
)

// ImageCheckOptions say how an image is checked.
type ImageCheckOptions struct {
	Root   string // of the image's file system
	Public bool   // the image is to be given to others: its own identity must not be in it
	JSON   bool
}

// ImageCheck says what must not be in an image. What it finds is a failure; the
// image's own identity in an image for others is refused, for nobody can take it
// back.
func ImageCheck(ctx context.Context, o ImageCheckOptions, stdout io.Writer) error {
	found, err := image.Check(ctx, o.Root)
	if o.JSON {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		if err := e.Encode(found); err != nil {
			return err
		}
	} else {
		for _, f := range found.Findings {
			fmt.Fprintln(stdout, f)
		}
		for _, path := range found.Partly {
			fmt.Fprintf(stdout, "note: %s: only its first %d MiB were read\n", path, image.MaxRead>>20)
		}
	}
	if err != nil {
		return err
	}
	return verdict(found, o, stdout)
}

func verdict(found image.Found, o ImageCheckOptions, stdout io.Writer) error {
	own, wrong := 0, 0
	for _, f := range found.Findings {
		if f.Own {
			own++
		} else {
			wrong++
		}
	}
	read := count(found.Files, "file")
	switch {
	case own > 0 && o.Public:
		return &situation.Situation{Word: situation.Refused, Subject: "image",
			Text: fmt.Sprintf("it holds its own identity (%s), and whoever has it can open what is sealed to it; %s more in %s.", image.IdentityPath, count(wrong, "finding"), read),
			Next: "remove the identity, and use another key source, or keep the image to yourselves"}
	case wrong > 0:
		return &situation.Situation{Word: situation.Failed, Subject: "image",
			Text: fmt.Sprintf("%s in %s.", count(wrong, "finding"), read),
			Next: "bootswain image prepare removes what the machine left; remove the rest, and replace what others may have seen"}
	case o.JSON:
		return nil
	case own > 0:
		fmt.Fprintf(stdout, "clean: %s; only its own identity is in it, so it must not become public\n", read)
	default:
		fmt.Fprintf(stdout, "clean: %s\n", read)
	}
	return nil
}

// PrepareImageOptions say how the machine becomes an image.
type PrepareImageOptions struct {
	Identity string // file with the image's identity; "-" is stdin; "" keeps or makes one
	Public   bool
}

// PrepareImage makes this machine ready to become an image, and says all that it
// did.
func (a *Agent) PrepareImage(ctx context.Context, o PrepareImageOptions, stdin io.Reader) error {
	up, err := volume.Up(a.storage)
	if err != nil {
		return fmt.Errorf("cannot tell whether a volume is up: %w", err)
	}
	if len(up) > 0 {
		return &situation.Situation{Word: situation.Refused, Subject: "image",
			Text: strings.Join(up, ", ") + " up; an image of a machine at work would hold what belongs to it. Nothing changed.",
			Next: "bootswain down " + up[0] + ", or prepare a machine without volumes"}
	}
	options := image.Options{Units: systemd.Enabled(), Public: o.Public}
	switch o.Identity {
	case "":
	case "-":
		options.Identity = stdin
	default:
		f, err := os.Open(o.Identity)
		if err != nil {
			return fmt.Errorf("cannot read the identity: %w", err)
		}
		defer f.Close()
		options.Identity = f
	}
	done, err := image.Prepare(ctx, image.Host{Root: a.storage.Root, Run: a.run}, options)
	if err == nil || len(done.Removed)+len(done.Emptied) > 0 {
		a.summarize(done, options.Units)
	}
	return err
}

// summarize says all that was done, every file by name.
func (a *Agent) summarize(done image.Prepared, units []string) {
	if len(done.Removed) > 0 {
		a.say("removed %s:\n  %s", count(len(done.Removed), "file"), strings.Join(done.Removed, "\n  "))
	}
	if len(done.Emptied) > 0 {
		a.say("emptied %s:\n  %s", count(len(done.Emptied), "file"), strings.Join(done.Emptied, "\n  "))
	}
	if done.Arrays {
		a.say("mdadm.conf: arrays are assembled by bootswain alone, in the initramfs too")
	}
	a.say("enabled for the next boot: %s", strings.Join(units, " "))
	for _, r := range done.Recipients {
		if done.Made {
			a.say("its identity is new; seal keys for this image to:\n%s", r)
		} else {
			a.say("seal keys for this image to:\n%s", r)
		}
	}
}
