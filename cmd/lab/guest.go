package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	"bootswain/lab"
	"bootswain/lab/control"
)

func runCommand() *cobra.Command {
	var stdin bool
	c := &cobra.Command{
		Use:   "run COMMAND [ARGUMENT…]",
		Short: "Run a command in the guest as root",
		Long: `Run a command in the guest as root, through the guest agent: it needs neither
network nor accounts, only a booted guest. Its output comes when it has ended,
and its exit status becomes this command's.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r := control.Run{Args: args}
			if stdin {
				var err error
				if r.Stdin, err = io.ReadAll(c.InOrStdin()); err != nil {
					return err
				}
			}
			var out lab.Output
			if err := ask(c, "run", r, &out); err != nil {
				return err
			}
			fmt.Fprint(c.OutOrStdout(), out.Stdout)
			fmt.Fprint(c.ErrOrStderr(), out.Stderr)
			if out.Code != 0 {
				return exitStatus(out.Code)
			}
			return nil
		},
	}
	c.Flags().SetInterspersed(false)
	c.Flags().BoolVarP(&stdin, "stdin", "i", false, "give it this command's standard input")
	return c
}

func pollCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "poll [PATH]",
		Short: "Ask for the machine's health from outside (/health)",
		Long:  "Ask for the machine's health from outside, as a monitor does. PATH is /health unless\ngiven. The exit status is 0 for an answer of 200, else 1.",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			path := "/health"
			if len(args) > 0 {
				path = args[0]
			}
			var st control.Status
			if err := ask(c, "status", none{}, &st); err != nil {
				return err
			}
			code, body, err := lab.Get(c.Context(), st.Health, path)
			if err != nil {
				return fmt.Errorf("no answer from %s: %w", st.Health, err)
			}
			fmt.Fprintf(c.ErrOrStderr(), "%d\n", code)
			fmt.Fprintf(c.OutOrStdout(), "%s\n", body)
			if code != 200 {
				return exitStatus(1)
			}
			return nil
		},
	}
}

func consoleCommand() *cobra.Command {
	var once bool
	c := &cobra.Command{
		Use: "console", Short: "Show the machine's serial console, and follow it until Ctrl-C", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var st control.Status
			if err := ask(c, "status", none{}, &st); err != nil {
				return err
			}
			f, err := os.Open(st.Console)
			if err != nil {
				return err
			}
			defer f.Close()
			for {
				if _, err := io.Copy(c.OutOrStdout(), f); err != nil || once {
					return err
				}
				select {
				case <-c.Context().Done():
					return nil
				case <-time.After(200 * time.Millisecond):
				}
			}
		},
	}
	c.Flags().BoolVar(&once, "no-follow", false, "show what is there and return")
	return c
}

func port(addr string) string {
	_, p, _ := net.SplitHostPort(addr)
	return p
}
