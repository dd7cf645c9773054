# The service's configuration and, in files of their own, its secrets.
unified_mode true
provides :ci_server_config

property :account, String,
         name_property: true,
         description: 'The account that reads them.'
property :home, String,
         required: true,
         description: 'Where the service is installed: it checks its own configuration.'
property :webhook_secret, [String, nil],
         sensitive: true,
         description: "What deliveries are signed with; nil keeps the host's."
property :github_token, [String, nil],
         sensitive: true,
         description: "A token for GitHub's API; nil for none."
property :github_ca, [String, nil],
         description: "Certificates of who signed GitHub's; nil for the usual authorities."
property :config, Hash,
         required: true,
         description: 'The configuration, without secrets.'

default_action :create

action :create do
  file "#{GmAnalytics::Ci::ETC}/webhook_secret" do
    content "#{new_resource.webhook_secret.strip}\n" if new_resource.webhook_secret
    owner new_resource.account
    group new_resource.account
    mode '0600'
    sensitive true
  end

  if new_resource.github_token
    file "#{GmAnalytics::Ci::ETC}/github_token" do
      content "#{new_resource.github_token.strip}\n"
      owner new_resource.account
      group new_resource.account
      mode '0600'
      sensitive true
    end
  end

  if new_resource.github_ca
    file "#{GmAnalytics::Ci::ETC}/github_ca.pem" do
      content new_resource.github_ca
      mode '0644'
    end
  end

  template "#{GmAnalytics::Ci::ETC}/config.yaml" do
    source 'config.yaml.erb'
    cookbook 'ci_server'
    group new_resource.account
    mode '0640'
    variables yaml: GmAnalytics::Ci.yaml(new_resource.config)
    verify "#{new_resource.home}/venv/bin/python -c '#{GmAnalytics::Ci::CHECK}' %{path}"
  end
end
