package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"bootswain/agent"
)

func usersCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "users", Short: "Who may log in, for as long as it is needed", Args: usage(cobra.NoArgs),
		Long: `Who may log in. grant and revoke edit a list that machines read again and again
because their launch data says users_from; they run where you are, with your AWS
credentials, and two people who edit at the same time lose nothing of each other.
A list is an SSM parameter, ssm:/NAME, or an object, s3://BUCKET/KEY.`,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(grantCommand(), revokeCommand(), listUsersCommand(), &cobra.Command{
		Use: "sync", Short: "Read the list of users now",
		Long: `Read the list that this machine's launch data points to, and let in whom it
names. The timer bootswain-users.timer does it by itself.`,
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			a, err := newAgent(c)
			if err != nil {
				return err
			}
			return a.UsersSync(c.Context())
		},
	})
	return c
}

func grantCommand() *cobra.Command {
	var g agent.Grant
	var period string
	c := &cobra.Command{
		Use: "grant NAME --key FILE --to LIST [--for 2d] [--sudo]", Short: "Let somebody in",
		Long: `Let NAME log in with the public keys in FILE ("-" is standard input) on every
machine that reads LIST, until revoked or for a time. What LIST says of NAME so
far is replaced.`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if g.Keys == "" || g.To == "" {
				return usageError{errors.New("--key FILE and --to LIST are needed")}
			}
			if period != "" {
				var err error
				if g.For, err = agent.ParsePeriod(period); err != nil {
					return usageError{fmt.Errorf("--for: %w", err)}
				}
			}
			g.Name = args[0]
			a, err := newAgent(c)
			if err != nil {
				return err
			}
			return a.UsersGrant(c.Context(), g, c.InOrStdin())
		},
	}
	c.Flags().StringVar(&g.Keys, "key", "", "public keys in `FILE`, a line each; - is standard input")
	c.Flags().StringVar(&g.To, "to", "", "the `LIST`: ssm:/NAME or s3://BUCKET/KEY")
	c.Flags().StringVar(&period, "for", "", "for how long, as in 8h, 2d or 1w; until revoked if not given")
	c.Flags().BoolVar(&g.Sudo, "sudo", false, "root by sudo, without a password")
	return c
}

func revokeCommand() *cobra.Command {
	var to string
	c := &cobra.Command{
		Use: "revoke NAME --to LIST", Short: "Let somebody in no more",
		Long: `Take NAME out of LIST. Machines that read it refuse NAME after their next look:
the keys go and the account is closed, for every key. Sessions end only where the
launch data says end_sessions.`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if to == "" {
				return usageError{errors.New("--to LIST is needed")}
			}
			a, err := newAgent(c)
			if err != nil {
				return err
			}
			return a.UsersRevoke(c.Context(), args[0], to)
		},
	}
	c.Flags().StringVar(&to, "to", "", "the `LIST`: ssm:/NAME or s3://BUCKET/KEY")
	return c
}

func listUsersCommand() *cobra.Command {
	var from string
	c := &cobra.Command{
		Use: "list [--from LIST]", Short: "Print who may log in",
		Long: `Print whom this machine lets in, or whom LIST names.`,
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			a, err := newAgent(c)
			if err != nil {
				return err
			}
			return a.UsersList(c.Context(), from)
		},
	}
	c.Flags().StringVar(&from, "from", "", "the `LIST`: ssm:/NAME or s3://BUCKET/KEY")
	return c
}
