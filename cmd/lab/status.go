package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"bootswain/lab/control"
	"bootswain/lab/nbd"
)

func statusCommand() *cobra.Command {
	var all, asJSON bool
	c := &cobra.Command{
		Use: "status", Short: "Say what there is, and where", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case all:
				return listAll(c)
			case !asJSON:
				return printStatus(c)
			}
			var st control.Status
			if err := ask(c, "status", none{}, &st); err != nil {
				return err
			}
			e := json.NewEncoder(c.OutOrStdout())
			e.SetIndent("", "  ")
			return e.Encode(st)
		},
	}
	c.Flags().BoolVar(&all, "all", false, "list the laboratories of this user")
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

func printStatus(c *cobra.Command) error {
	var st control.Status
	if err := ask(c, "status", none{}, &st); err != nil {
		return err
	}
	out := tabwriter.NewWriter(c.OutOrStdout(), 0, 8, 2, ' ', 0)
	power := "off"
	if st.On {
		power = "on"
	}
	fmt.Fprintf(out, "machine\t%s, %s (%s)\n", st.Instance, power, st.Accel)
	fmt.Fprintf(out, "log in\tlab ssh%s, or: ssh -i %s -p %s admin@127.0.0.1\n", nameFlag(), st.PrivateKey, port(st.SSH))
	fmt.Fprintf(out, "health\thttp://%s/health\n", st.Health)
	fmt.Fprintf(out, "console\t%s\n", st.Console)
	fmt.Fprintf(out, "metadata\t%d requests%s\n", st.Requests, brokenIMDS(st))
	for i, v := range st.Volumes {
		where := "detached"
		if v.Attached {
			where = "attached"
		}
		fmt.Fprintf(out, "volume %d\t%s, %s, %s%s\n", i+1, v.ID, formatSize(v.Size), where, describeFault(v.Fault))
	}
	fmt.Fprintf(out, "stop it\tlab down%s\n", nameFlag())
	return out.Flush()
}

func brokenIMDS(st control.Status) string {
	if st.IMDS == (control.Status{}).IMDS {
		return ""
	}
	return fmt.Sprintf(", broken: %+v", st.IMDS)
}

func describeFault(f nbd.Fault) string {
	s := ""
	if f.ReadError {
		s += ", reads fail"
	}
	if f.WriteError {
		s += ", writes fail"
	}
	if f.Delay > 0 {
		s += fmt.Sprintf(", %s slower", f.Delay)
	}
	if f.Hang {
		s += ", hangs"
	}
	return s
}

// nameFlag repeats --name where it must be repeated.
func nameFlag() string {
	if labName == "lab" {
		return ""
	}
	return " --name " + labName
}

func listAll(c *cobra.Command) error {
	names, err := control.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		labName = name
		var st control.Status
		switch err := ask(c, "status", none{}, &st); {
		case errors.Is(err, control.ErrNotUp):
			fmt.Fprintf(c.OutOrStdout(), "%s  was killed; \"lab up\" or \"lab down\" clears it away\n", name)
		case err != nil:
			return err
		default:
			fmt.Fprintf(c.OutOrStdout(), "%s  %s, %d volumes, health at %s\n", name, st.Instance, len(st.Volumes), st.Health)
		}
	}
	return nil
}
