package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"bootswain/lab/control"
)

func cutCommand() *cobra.Command {
	var cut control.Cut
	c := &cobra.Command{
		Use:   "cut",
		Short: "Cut the machine's power, and let it come back",
		Long: `Cut the machine's power, and let it come back. All volumes stop at one moment.
With --lose each volume loses what a drive may lose: of the writes that were not
flushed those that --seed chooses, some of them torn.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return call(c, "cut", cut) },
	}
	c.Flags().BoolVar(&cut.LoseUnflushed, "lose", false, "lose what was not flushed")
	c.Flags().Uint64Var(&cut.Seed, "seed", 1, "decides what is lost")
	c.Flags().BoolVar(&cut.StayOff, "stay-off", false, "leave the machine off; \"lab start\" turns it on")
	return c
}

func replaceCommand() *cobra.Command {
	var file string
	var without bool
	c := &cobra.Command{
		Use:   "replace",
		Short: "End the machine and give its volumes to a new one",
		Long: `End the machine without warning and give its volumes to a new one, of the same
image and with a new instance id. It is given the same launch data, others, or
none.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r := control.Replace{KeepUserData: file == "" && !without}
			if file != "" {
				b, err := readUserData(file)
				if err != nil {
					return err
				}
				r.UserData = b
			}
			return call(c, "replace", r)
		},
	}
	c.Flags().StringVar(&file, "user-data", "", "launch data from `FILE`")
	c.Flags().BoolVar(&without, "no-user-data", false, "no launch data")
	return c
}

func attachCommand() *cobra.Command {
	var size string
	c := &cobra.Command{
		Use:   "attach VOLUME | attach --size SIZE",
		Short: "Attach a volume that was detached or pulled, or a new one",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var a control.Attach
			switch {
			case len(args) == 1 && size == "":
				a.Volume = args[0]
			case len(args) == 0 && size != "":
				n, err := parseSize(size)
				if err != nil {
					return err
				}
				a.Size = n
			default:
				return errors.New("name a volume, or give the --size of a new one")
			}
			return call(c, "attach", a)
		},
	}
	c.Flags().StringVar(&size, "size", "", "make a new volume of this `SIZE`, such as 10GiB")
	return c
}

func downCommand() *cobra.Command {
	return &cobra.Command{
		Use: "down", Short: "End the machine and forget its volumes; nothing is left", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			dir, err := control.Dir(labName)
			if err != nil {
				return err
			}
			err = control.Down(c.Context(), dir)
			if errors.Is(err, control.ErrNotUp) {
				if _, missing := os.Lstat(dir); missing != nil {
					return fmt.Errorf("there is no laboratory %s", labName)
				}
				return os.RemoveAll(dir) // it was killed
			}
			return err
		},
	}
}
