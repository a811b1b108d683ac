package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"bootswain/lab/control"
	"bootswain/lab/image"
)

// upFlags are what "lab up" was told.
type upFlags struct {
	userData, key string
	volumes       int
	sizes         []string
	noAgent       bool
	memory        string
	ask           control.Up
}

func upCommand() *cobra.Command {
	var f upFlags
	c := &cobra.Command{
		Use:   "up",
		Short: "Boot a machine",
		Long: `Boot a machine with bootswain installed from this source tree, and return when
SSH answers. The image is built if need be (a few minutes the first time,
seconds after a change of the source) and cached.

The machine's EC2 key pair is made anew unless --key names a private key.
Ctrl-C takes everything down again; afterwards "lab down" does.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return up(c, f) },
	}
	c.Flags().StringVar(&f.userData, "user-data", "", "launch data from `FILE`; without it the machine is given none")
	c.Flags().StringVar(&f.key, "key", "", "private key `FILE` of the EC2 key pair")
	c.Flags().IntVar(&f.volumes, "volumes", 0, "attach `N` blank volumes of 1GiB")
	c.Flags().StringArrayVar(&f.sizes, "volume", nil, "attach a blank volume of this `SIZE`, such as 512MiB (may be repeated)")
	c.Flags().BoolVar(&f.noAgent, "no-agent", false, "boot the plain image, without bootswain")
	c.Flags().IntVar(&f.ask.CPUs, "cpus", 0, "processors of the machine (default 2)")
	c.Flags().StringVar(&f.memory, "memory", "1536MiB", "memory of the machine")
	c.Flags().StringVar(&f.ask.Append, "append", "", "more kernel parameters")
	c.Flags().BoolVar(&f.ask.CountedTime, "counted-time", false, "let the guest's clock count instructions: slow, but timings repeat")
	return c
}

func up(c *cobra.Command, f upFlags) error {
	if err := f.read(); err != nil {
		return err
	}
	dir, err := control.Dir(labName)
	if err != nil {
		return err
	}
	l := control.NewClient(dir)
	if err := l.Call(c.Context(), io.Discard, "status", none{}, nil); !errors.Is(err, control.ErrNotUp) {
		if err == nil {
			err = fmt.Errorf("the laboratory %s is up already; see: lab status", labName)
		}
		return err
	}
	if f.ask.Image, err = buildImage(c.Context(), c.OutOrStdout(), f.noAgent); err != nil {
		return err
	}
	// What a laboratory that was killed may have left.
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	owner, err := startOwner(dir)
	if err != nil {
		return err
	}
	defer owner.release()
	if f.ask.PublicKey, f.ask.PrivateKey, err = keyPair(f.key, dir); err != nil {
		return err
	}
	if err := owner.wait(c.Context(), l); err != nil {
		return err
	}
	if err := l.Call(c.Context(), c.OutOrStdout(), "up", f.ask, nil); err != nil {
		return err
	}
	if err := owner.keep(); err != nil {
		return err
	}
	return printStatus(c)
}

// read turns flags into what is asked of the laboratory.
func (f *upFlags) read() (err error) {
	if f.userData != "" {
		if f.ask.UserData, err = readUserData(f.userData); err != nil {
			return err
		}
	}
	for range f.volumes {
		f.sizes = append(f.sizes, "1GiB")
	}
	for _, s := range f.sizes {
		n, err := parseSize(s)
		if err != nil {
			return err
		}
		f.ask.Volumes = append(f.ask.Volumes, n)
	}
	f.ask.Memory, err = parseSize(f.memory)
	return err
}

// readUserData reads launch data; an empty file is launch data, too, and
// differs from none.
func readUserData(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err == nil && b == nil {
		b = []byte{}
	}
	return b, err
}

func buildImage(ctx context.Context, log io.Writer, plain bool) (image.Image, error) {
	base, err := image.Debian13.Base(ctx, log)
	if err != nil || plain {
		return base, err
	}
	deb, err := image.Deb(ctx, log, "")
	if err != nil {
		return image.Image{}, err
	}
	return image.Bake(ctx, log, base, deb)
}

// owner is the background process that will own the laboratory. Until keep it
// ends when this process does.
type owner struct {
	life  *os.File // its standard input: the end of it is the end, but for a word
	log   string
	kept  bool
	ended chan struct{}
}

func startOwner(dir string) (*owner, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "lab.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	theirs, ours, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	cmd := exec.Command("/proc/self/exe", "serve", "--name", labName)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		ours.Close()
		return nil, err
	}
	o := &owner{life: ours, log: log.Name(), ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // its log says why
		close(o.ended)
	}()
	return o, nil
}

// wait returns when the owner answers.
func (o *owner) wait(ctx context.Context, l *control.Client) error {
	return control.WaitUp(ctx, l, func() error {
		select {
		case <-o.ended:
			why, _ := os.ReadFile(o.log)
			return fmt.Errorf("the laboratory ended at once: %s", why)
		default:
			return nil
		}
	})
}

// keep lets the owner outlive this process.
func (o *owner) keep() error {
	_, err := o.life.WriteString("k")
	o.kept = err == nil
	return err
}

// release ends the owner, unless it is kept, and waits until nothing is left.
func (o *owner) release() {
	o.life.Close()
	if !o.kept {
		<-o.ended
	}
}
