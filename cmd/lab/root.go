package main

import (
	"io"

	"github.com/spf13/cobra"

	"bootswain/lab/control"
)

const long = `A small EC2 on this computer: a virtual machine that boots a real Debian with
bootswain in it, EBS volumes that can be attached, pulled and made to fail, and
the instance metadata service. Needs root and QEMU (make setup).

  lab up --volumes 2 --user-data my.yaml   boot a machine with two volumes
  lab status                               what there is, and where
  lab ssh                                  log in with the key pair
  lab run systemctl --failed               run a command as root
  lab poll                                 ask for its health from outside
  lab pull 1                               pull volume 1 out while it is in use
  lab cut --lose                           cut the power; lose what was not flushed
  lab replace                              a new machine with the old volumes
  lab down                                 end it; nothing is left

Several laboratories live side by side with --name. A VOLUME is its number in
"lab status", its id, or the beginning of its id.`

var labName string

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use: "lab", Short: "A small EC2 on this computer", Long: long,
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.PersistentFlags().StringVar(&labName, "name", "lab", "which laboratory, if there are several")
	root.AddCommand(
		upCommand(), statusCommand(), sshCommand(), runCommand(), pollCommand(), consoleCommand(),
		cutCommand(), simple("start", "Turn the machine on again after a shutdown or a cut"),
		simple("reboot", "Ask the guest to reboot, and follow it up again"),
		simple("shutdown", "Ask the guest to shut down; its volumes stay"),
		replaceCommand(), attachCommand(),
		onVolume("pull", "Pull a volume out, without asking, while it is in use"),
		onVolume("detach", "Detach a volume as EC2 does: the guest is asked first"),
		faultCommand(), imdsCommand(), demoCommand(), downCommand(), serveCommand(),
	)
	return root
}

// client is the way to the laboratory that --name chooses.
func client() (*control.Client, error) {
	dir, err := control.Dir(labName)
	if err != nil {
		return nil, err
	}
	return control.NewClient(dir), nil
}

// call runs a verb of the laboratory and prints its progress.
func call(c *cobra.Command, verb string, args any) error {
	l, err := client()
	if err != nil {
		return err
	}
	return l.Call(c.Context(), c.OutOrStdout(), verb, args, nil)
}

// ask runs a verb without its progress, and stores what it returns in result.
func ask(c *cobra.Command, verb string, args, result any) error {
	l, err := client()
	if err != nil {
		return err
	}
	return l.Call(c.Context(), io.Discard, verb, args, result)
}

// none is the argument of a verb that takes none.
type none struct{}

// simple is a verb without arguments.
func simple(verb, short string) *cobra.Command {
	return &cobra.Command{
		Use: verb, Short: short, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return call(c, verb, none{}) },
	}
}

// onVolume is a verb whose argument is a volume.
func onVolume(verb, short string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " VOLUME", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return call(c, verb, args[0]) },
	}
}
