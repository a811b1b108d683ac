package main

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"bootswain/lab/control"
	"bootswain/lab/demo"
)

const demoName = "demo"

func demoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Show bootswain's main job, and leave the machine up",
		Long: `Show bootswain's main job on a machine of its own: launch data, people, storage,
database, health, a clean reboot and a power cut, each line from the machine.
The laboratory is called "` + demoName + `" unless --name says otherwise; one of that name
that is up already is replaced.

The exit status is 0 only if everything was seen. A machine on which something
else was seen stays up, too. Ctrl-C takes it down.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if !c.Flags().Changed("name") {
				labName = demoName
			}
			return showDemo(c.Context(), demo.NewScreen(os.Stdout))
		},
	}
}

func showDemo(ctx context.Context, s *demo.Screen) error {
	dir, err := control.Dir(labName)
	if err != nil {
		return err
	}
	s.Title("Image and laboratory")
	if err := clearAway(ctx, s, dir); err != nil {
		return err
	}
	d := &demo.Demo{Lab: control.NewClient(dir), Screen: s}
	err = s.Wait("the image", func(func(string)) (err error) {
		d.Up.Image, err = buildImage(ctx, s, false)
		return err
	})
	if err != nil {
		return err
	}
	s.Line("the image's recipient is %s", d.Up.Image.Recipient)
	o, err := startOwner(dir)
	if err != nil {
		return err
	}
	defer o.release()
	if d.Up.PublicKey, d.Up.PrivateKey, err = keyPair("", dir); err != nil {
		return err
	}
	if d.Signer, err = readKey(d.Up.PrivateKey); err != nil {
		return err
	}
	if err := o.wait(ctx, d.Lab); err != nil {
		return err
	}
	failed := d.Run(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if d.Health() == "" { // there is no machine to look at
		return failed
	}
	if err := o.keep(); err != nil {
		return err
	}
	sayWhere(s, d, failed)
	return failed
}

// clearAway takes away what is left of the laboratory before.
func clearAway(ctx context.Context, s *demo.Screen, dir string) error {
	if _, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	s.Line("a laboratory %q is there already; it is replaced", labName)
	err := control.Down(ctx, dir)
	if errors.Is(err, control.ErrNotUp) { // it was killed
		return os.RemoveAll(dir)
	}
	return err
}

// sayWhere tells how to go on with the machine.
func sayWhere(s *demo.Screen, d *demo.Demo, failed error) {
	lab := "go run ./cmd/lab --name " + labName
	title := "All seen; the machine stays up"
	if failed != nil {
		title = "Not all was as expected; the machine stays up to be looked at"
	}
	s.Title(title)
	s.Line("log in      %s ssh ops", lab)
	s.Line("poll        curl http://%s/health", d.Health())
	s.Line("its console %s", d.Console())
	s.Line("more        %s --help", lab)
	s.Line("stop it     %s down", lab)
	s.Line("all tests   make test")
}
