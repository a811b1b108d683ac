package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"bootswain/agent"
)

// version is set by the package build.
var version = "dev"

const exitCodes = `
Exit codes:
  0  done, nothing wrong
  1  failed, see the message
  2  usage
  3  refused: going on could destroy data
  4  not ready yet
  5  the launch data is wrong
`

// usageError is a command line that cannot be understood; it exits with 2.
type usageError struct{ error }

func execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return agent.ExitDone
	}
	if words := agent.Explain(err); words != "" {
		fmt.Fprintln(stderr, words)
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return agent.ExitUsage
	}
	return agent.ExitCode(err)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "bootswain",
		Short:         "Make a cloud instance ready: people, storage, database, health",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          usage(cobra.NoArgs),
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	// Not by SetUsageTemplate: a template calls methods by name, so that the
	// linker would have to keep every method of every type, and EC2's client
	// alone has more than a thousand.
	usual := root.UsageFunc()
	root.SetUsageFunc(func(c *cobra.Command) error {
		if err := usual(c); err != nil {
			return err
		}
		_, err := fmt.Fprint(c.OutOrStderr(), exitCodes)
		return err
	})
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see: %s --help", err, c.CommandPath())}
	})
	root.AddCommand(
		applyCommand(), planCommand(), upCommand(), downCommand(), statusCommand(), checkCommand(),
		configCommand(), usersCommand(), sealCommand(), unlockCommand(), keyCommand(), mysqlCommand(), imageCommand(),
		doctorCommand(), withKeyCommand(),
		serviceCommand("access", "Let the people of the launch data in", (*agent.Agent).Access),
		serviceCommand("daemon", "Converge, and follow what happens to the devices", (*agent.Agent).Daemon),
		serviceCommand("hold-stop", "Close and stop every volume at shutdown", (*agent.Agent).HoldStop),
		serviceCommand("health-listen", "Answer health polls on the inherited socket", (*agent.Agent).HealthListen),
	)
	return root
}

// serviceCommand is a command that one of our units runs, and nobody else.
func serviceCommand(name, short string, do func(*agent.Agent, context.Context) error) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: short, Hidden: true, Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			a, err := newAgent(c)
			if err != nil {
				return err
			}
			return do(a, c.Context())
		},
	}
}

func newAgent(c *cobra.Command) (*agent.Agent, error) {
	return agent.New(c.OutOrStdout(), version)
}

// usage makes a cobra argument check fail as a usage error.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usageError{fmt.Errorf("%w; see: %s --help", err, c.CommandPath())}
		}
		return nil
	}
}
