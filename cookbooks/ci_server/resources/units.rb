# The two units of the service: what GitHub calls, and what does the work.
unified_mode true
provides :ci_server_units

property :account, String,
         name_property: true,
         description: 'The account that they run as.'
property :home, String,
         required: true,
         description: 'Where the service is installed.'
property :port, Integer,
         default: 8080,
         description: 'The port on loopback.'

default_action :create

action :create do
  units.each do |name, content|
    systemd_unit name do
      content content
      action [:create, :enable, :start]
      notifies :restart, "systemd_unit[#{name}]"
    end
  end
end

action :restart do
  units.each_key do |name|
    systemd_unit name do
      action :restart
    end
  end
end

action_class do
  def units
    program = "#{new_resource.home}/venv/bin/gm-analytics"
    {
      'gm-analytics-web.service' => GmAnalytics::Ci.unit(
        description: 'gm_analytics: answers GitHub', account: new_resource.account,
        command: "#{program} web --host 127.0.0.1 --port #{new_resource.port}"
      ),
      'gm-analytics-worker.service' => GmAnalytics::Ci.unit(
        description: 'gm_analytics: does the updates', account: new_resource.account,
        command: "#{program} worker"
      ),
    }
  end
end
